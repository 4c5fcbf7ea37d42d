//! Courses with few places, students with little time, and a command that waits for the test.

use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};

use foldlog::prelude::*;
use foldlog::{Models, StreamEvents};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc as channel;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "course")]
pub(crate) struct CourseId(pub(crate) String);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "student")]
pub(crate) struct StudentId(pub(crate) String);

pub(crate) fn course(name: &str) -> CourseId {
    CourseId(name.to_owned())
}

pub(crate) fn student(name: &str) -> StudentId {
    StudentId(name.to_owned())
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "course", id = CourseId)]
pub(crate) enum CourseEvent {
    Defined {
        #[tag]
        course: CourseId,
        capacity: usize,
    },
    Subscribed {
        #[tag]
        course: CourseId,
        #[tag]
        student: StudentId,
    },
    Left {
        #[tag]
        course: CourseId,
        #[tag]
        student: StudentId,
    },
}

use CourseEvent::{Defined, Left, Subscribed};

pub(crate) fn defined(name: &str, capacity: usize) -> StreamEvents {
    any(&course(name), Defined { course: course(name), capacity })
}

pub(crate) fn subscribed(name: &str, who: &str) -> StreamEvents {
    any(&course(name), Subscribed { course: course(name), student: student(who) })
}

/// Who has a place on a course.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) capacity: Option<usize>,
    pub(crate) taken: BTreeSet<StudentId>,
    pub(crate) events: usize,
}

impl Model for Places {
    type Event = CourseEvent;
    type About = CourseId;

    fn query(course: &CourseId) -> Query {
        Query::of::<CourseEvent>().tag(course)
    }

    fn evolve(&mut self, event: &Recorded<CourseEvent>, about: &CourseId) {
        self.events += 1;
        match &event.event {
            Defined { course, capacity } => {
                assert_eq!(course, about);
                self.capacity = Some(*capacity);
            }
            Subscribed { course, student } => {
                assert_eq!(course, about);
                assert!(self.taken.insert(student.clone()));
            }
            Left { student, .. } => assert!(self.taken.remove(student)),
        }
    }
}

/// How many courses a student takes.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    pub(crate) courses: usize,
    pub(crate) events: usize,
}

impl Model for Workload {
    type Event = CourseEvent;
    type About = StudentId;

    fn query(student: &StudentId) -> Query {
        Query::kinds::<CourseEvent>(["Subscribed", "Left"]).tag(student)
    }

    fn evolve(&mut self, event: &Recorded<CourseEvent>, about: &StudentId) {
        self.events += 1;
        match &event.event {
            Defined { .. } => panic!("a model was given an event of a type it did not ask for"),
            Subscribed { student, .. } => {
                assert_eq!(student, about);
                self.courses += 1;
            }
            Left { .. } => self.courses -= 1,
        }
    }
}

pub(crate) const COURSES_MAX: usize = 3;

#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there is no such course")]
    Unknown,
    #[error("the course is full")]
    Full,
    #[error("already on it")]
    Already,
    #[error("no time left")]
    Overworked,
}

/// Answers how many places are left.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe {
    pub(crate) course: CourseId,
    pub(crate) student: StudentId,
}

pub(crate) fn subscribe(name: &str, who: &str) -> Subscribe {
    Subscribe { course: course(name), student: student(who) }
}

impl Boundary for Subscribe {
    type Models = (Places, Workload);
    type Reply = usize;
    type Rejection = Refused;

    fn about(&self) -> (CourseId, StudentId) {
        (self.course.clone(), self.student.clone())
    }

    fn decide(
        &self,
        (places, workload): &(Places, Workload),
        _: &BoundaryContext,
    ) -> Concluded<Self> {
        let Some(capacity) = places.capacity else { return Err(Refused::Unknown) };
        if places.taken.contains(&self.student) {
            return Err(Refused::Already);
        }
        if places.taken.len() >= capacity {
            return Err(Refused::Full);
        }
        if workload.courses >= COURSES_MAX {
            return Err(Refused::Overworked);
        }
        let (course, student) = (self.course.clone(), self.student.clone());
        let left = capacity - places.taken.len() - 1;
        Ok((any(&self.course, Subscribed { course, student }), left).into())
    }
}

/// Leaves a course; who is not on it does nothing.
pub(crate) struct Leave(pub(crate) Subscribe);

impl Boundary for Leave {
    type Models = Places;
    type Reply = bool;
    type Rejection = Refused;

    fn about(&self) -> CourseId {
        self.0.course.clone()
    }

    fn decide(&self, places: &Places, _: &BoundaryContext) -> Concluded<Self> {
        let Subscribe { course, student } = self.0.clone();
        if places.capacity.is_none() {
            return Err(Refused::Unknown);
        }
        if !places.taken.contains(&student) {
            return Ok(Decision::none().reply(false));
        }
        Ok((any(&self.0.course, Left { course, student }), true).into())
    }
}

/// A command that reports each decision, and goes on when the test says so.
pub(crate) struct Held<B> {
    command: B,
    asked: channel::UnboundedSender<BoundaryContext>,
    go: Mutex<mpsc::Receiver<()>>,
}

/// The test's side of a [`Held`] command.
pub(crate) struct Pauses {
    asked: channel::UnboundedReceiver<BoundaryContext>,
    go: mpsc::Sender<()>,
}

impl<B> Held<B> {
    pub(crate) fn new(command: B) -> (Self, Pauses) {
        let (asked, asking) = channel::unbounded_channel();
        let (go, going) = mpsc::channel();
        (Self { command, asked, go: Mutex::new(going) }, Pauses { asked: asking, go })
    }
}

impl Pauses {
    /// Waits until the command is being decided; it stands still then.
    pub(crate) async fn decided(&mut self) -> BoundaryContext {
        self.asked.recv().await.unwrap()
    }

    /// Lets one decision go on.
    pub(crate) fn go(&self) {
        self.go.send(()).unwrap();
    }
}

impl<B: Boundary> Boundary for Held<B> {
    type Models = B::Models;
    type Reply = B::Reply;
    type Rejection = B::Rejection;

    fn about(&self) -> <B::Models as Models>::About {
        self.command.about()
    }

    fn decide(&self, models: &B::Models, cx: &BoundaryContext) -> Concluded<Self> {
        self.asked.send(cx.clone()).unwrap();
        // Such tests run on several threads; the others take over what this one was to do.
        tokio::task::block_in_place(|| self.go.lock().unwrap().recv().unwrap());
        self.command.decide(models, cx)
    }
}
