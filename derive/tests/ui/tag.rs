extern crate self as foldlog;

mod bank;
use bank::*;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "course")]
struct CourseId(u32);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "named", id = CourseId)]
enum Named {
    Defined {
        #[tag("course")]
        course: CourseId,
    },
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "equals", id = CourseId)]
enum Equals {
    Defined {
        #[tag = "course"]
        course: CourseId,
    },
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "twice", id = CourseId)]
enum Twice {
    Defined(#[tag] #[tag] CourseId),
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "variant", id = CourseId)]
enum OnVariant {
    #[tag]
    Defined { course: CourseId },
}

#[derive(Event, Serialize, Deserialize)]
#[event(category = "whole", id = CourseId)]
#[tag]
enum OnEnum {
    Defined { course: CourseId },
}

#[derive(Key)]
#[key(tag = "Bad Name")]
struct BadName(u32);

#[derive(Key)]
#[key(tag = "")]
struct NoName(u32);

#[derive(Key)]
#[key(tag = course)]
struct NoText(u32);

fn main() {}
