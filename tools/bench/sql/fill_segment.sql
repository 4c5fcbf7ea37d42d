-- fill_segment: makes the segments ahead of the last position.
select foldlog.segment_ensure_1(0)
