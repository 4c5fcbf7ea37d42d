-- category_list: the categories and the types of their events, by name; a category without types has
-- a row without one.
-- Locks: none. Index: none, both tables are small.
select l.category, l.kind, l.schema_version
from foldlog.list_categories_1() l
