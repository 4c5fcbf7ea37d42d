//! What a decision comes to: events, replies, repetitions, refusals.

use std::time::{Duration, SystemTime};

use foldlog::prelude::*;
use foldlog::{ErrorKind, StreamEvents};
use uuid::Uuid;

use super::school::{
    COURSES_MAX, CourseEvent, Leave, Places, Refused, Workload, course, defined, student,
    subscribe, subscribed,
};
use crate::bank::{Account, AccountEvent, Deposit, account, bench, open, stored};

fn refusal<T: std::fmt::Debug>(result: Result<T, ExecuteError<Refused>>) -> Refused {
    match result {
        Err(ExecuteError::Rejected(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn kind<T: std::fmt::Debug, R: std::fmt::Debug>(result: Result<T, ExecuteError<R>>) -> ErrorKind {
    match result {
        Err(ExecuteError::Store(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

/// Answers how many events each of its models was given.
struct Count(foldlog::Tag);

impl Boundary for Count {
    type Models = (Places, Workload, Everything);
    type Reply = (usize, usize, usize);
    type Rejection = Refused;

    fn about(&self) -> (super::school::CourseId, super::school::StudentId, foldlog::Tag) {
        (course("c1"), student("ada"), self.0.clone())
    }

    fn decide(
        &self,
        (places, workload, all): &(Places, Workload, Everything),
        _: &BoundaryContext,
    ) -> Concluded<Self> {
        Ok(Decision::none().reply((places.events, workload.events, all.0)))
    }
}

/// Everything with a tag, and every definition of a course.
#[derive(Default)]
struct Everything(usize);

impl Model for Everything {
    type Event = CourseEvent;
    type About = foldlog::Tag;

    fn query(tag: &foldlog::Tag) -> Query {
        let definitions = Query::kinds::<CourseEvent>(["Defined"]);
        Query::of::<CourseEvent>().tagged(tag).or(definitions)
    }

    fn evolve(&mut self, _: &Recorded<CourseEvent>, _: &foldlog::Tag) {
        self.0 += 1;
    }
}

#[tokio::test]
async fn a_course_is_never_overbooked_and_nobody_takes_too_many() {
    let (_database, app) = bench().await;
    let unknown = app.decide(subscribe("c1", "ada")).await;
    assert_eq!(refusal(unknown), Refused::Unknown);
    for n in 1..=COURSES_MAX + 1 {
        app.append([defined(&format!("c{n}"), 2)]).await.unwrap();
    }
    for n in 1..=COURSES_MAX {
        let done = app.decide(subscribe(&format!("c{n}"), "ada")).await.unwrap();
        assert_eq!((done.reply, done.repeated, done.streams.len()), (1, false, 1));
        assert_eq!(done.streams[0].stream.as_str(), format!("course-c{n}"));
    }
    assert_eq!(refusal(app.decide(subscribe("c4", "ada")).await), Refused::Overworked);
    assert_eq!(refusal(app.decide(subscribe("c1", "ada")).await), Refused::Already);
    app.decide(subscribe("c1", "bob")).await.unwrap();
    assert_eq!(refusal(app.decide(subscribe("c1", "eve")).await), Refused::Full);
    assert!(app.decide(Leave(subscribe("c1", "ada"))).await.unwrap().reply);
    app.decide(subscribe("c1", "eve")).await.unwrap();
    app.decide(subscribe("c4", "ada")).await.unwrap();
}

#[tokio::test]
async fn each_model_gets_the_events_of_its_own_query_and_each_once() {
    let (_database, app) = bench().await;
    app.append([defined("c1", 9), defined("c2", 9)]).await.unwrap();
    app.append([subscribed("c1", "ada"), subscribed("c2", "ada")]).await.unwrap();
    app.append([subscribed("c1", "bob")]).await.unwrap();
    let tag = foldlog::Tag::new("course", "c2").unwrap();
    // The last one selects the definition of c2 by two items.
    assert_eq!(app.decide(Count(tag)).await.unwrap().reply, (3, 2, 3));
}

#[tokio::test]
async fn a_decision_without_events_stores_nothing_and_is_taken_again() {
    let (database, app) = bench().await;
    let done = app.append([defined("c1", 2)]).await.unwrap();
    let leave = || app.decide(Leave(subscribe("c1", "ada"))).command_id(Uuid::nil());
    let none = leave().await.unwrap();
    assert_eq!((none.reply, none.repeated, none.streams.len()), (false, false, 0));
    assert!(none.token.position() >= done.token.position());
    assert_eq!(stored(&database).await, 1);
    app.decide(subscribe("c1", "ada")).await.unwrap();
    let done = leave().await.unwrap();
    assert_eq!((done.reply, done.repeated), (true, false));
    // From then on it was done.
    let again = leave().await.unwrap();
    assert_eq!((again.reply, again.repeated, again.token), (true, true, done.token));
    assert_eq!(stored(&database).await, 3);
}

#[tokio::test]
async fn a_repeated_command_answers_its_first_reply_in_every_process_and_whatever_came_since() {
    let (database, app) = bench().await;
    app.append([defined("c1", 1)]).await.unwrap();
    let key = Uuid::now_v7();
    let first = app.decide(subscribe("c1", "ada")).command_id(key).await.unwrap();
    assert_eq!((first.reply, first.repeated), (0, false));
    // By now it would be rejected.
    assert_eq!(refusal(app.decide(subscribe("c1", "ada")).await), Refused::Already);
    app.shutdown().await.unwrap();
    let restarted = open(Db::connect(database.url()).await.unwrap()).await;
    let again = restarted.decide(subscribe("c1", "ada")).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.repeated, again.token), (0, true, first.token));
    // And where it would be accepted once more.
    restarted.decide(Leave(subscribe("c1", "ada"))).await.unwrap();
    let again = restarted.decide(subscribe("c1", "ada")).command_id(key).await.unwrap();
    assert_eq!((again.reply, again.repeated, again.token), (0, true, first.token));
    assert_eq!(again.streams[0].stream.as_str(), "course-c1");
    assert_eq!(stored(&database).await, 3);
    // One that was rejected is decided again.
    let key = Uuid::now_v7();
    let eve = || restarted.decide(subscribe("c2", "eve")).command_id(key);
    assert_eq!(refusal(eve().await), Refused::Unknown);
    restarted.append([defined("c2", 5)]).await.unwrap();
    assert!(!eve().await.unwrap().repeated);
}

#[tokio::test]
async fn an_id_of_another_kind_of_command_or_append_is_refused() {
    let (_database, app) = bench().await;
    app.append([defined("c1", 5)]).await.unwrap();
    let (executed, decided, appended) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    app.execute(&account("ada"), Deposit(1)).command_id(executed).await.unwrap();
    app.decide(subscribe("c1", "ada")).command_id(decided).await.unwrap();
    app.append([any(&account("eve"), AccountEvent::Deposited { cents: 1 })])
        .id(appended)
        .await
        .unwrap();
    for used in [executed, appended] {
        // Accepted, rejected or without an event.
        for who in ["bob", "ada"] {
            let decide = app.decide(subscribe("c1", who)).command_id(used);
            assert_eq!(kind(decide.await), ErrorKind::IdReused, "{who}");
        }
        let leave = app.decide(Leave(subscribe("c1", "eve"))).command_id(used);
        assert_eq!(kind(leave.await), ErrorKind::IdReused);
    }
    let execute = app.execute(&account("bob"), Deposit(1)).command_id(decided);
    assert_eq!(kind(execute.await), ErrorKind::IdReused);
    assert_eq!(app.load::<Account>(&account("bob")).await.unwrap().version, 0);
}

/// Moves a student: events for two streams.
struct Transfer {
    first: bool,
}

impl Boundary for Transfer {
    type Models = (Places, Places);
    type Reply = ();
    type Rejection = Refused;

    fn about(&self) -> (super::school::CourseId, super::school::CourseId) {
        (course("c1"), course("c2"))
    }

    fn decide(&self, (from, _): &(Places, Places), _: &BoundaryContext) -> Concluded<Self> {
        let ada = student("ada");
        if !from.taken.contains(&ada) {
            return Err(Refused::Unknown);
        }
        let left = CourseEvent::Left { course: course("c1"), student: ada.clone() };
        let subscribed = CourseEvent::Subscribed { course: course("c2"), student: ada };
        let to = if self.first { no_stream::<CourseEvent> } else { any };
        Ok([exists(&course("c1"), left), to(&course("c2"), subscribed)].into())
    }
}

#[tokio::test]
async fn a_decision_may_append_to_several_streams_and_expect_something_of_each() {
    let (database, app) = bench().await;
    app.append([subscribed("c1", "ada"), defined("c2", 5)]).await.unwrap();
    // The stream of c2 exists, whatever the boundary says.
    let error = app.decide(Transfer { first: true }).await.unwrap_err();
    let ExecuteError::Conflict { stream, expected, actual, .. } = error else { panic!("{error}") };
    assert_eq!((stream.as_str(), expected, actual), ("course-c2", Expected::NoStream, 1));
    assert_eq!(stored(&database).await, 2);
    let done = app.decide(Transfer { first: false }).await.unwrap();
    let streams: Vec<_> = done.streams.iter().map(|s| (s.stream.as_str(), s.version)).collect();
    assert_eq!(streams, [("course-c1", 2), ("course-c2", 2)]);
    assert_eq!(refusal(app.decide(Transfer { first: false }).await), Refused::Unknown);
}

/// Writes what the context says into the stream of a course.
struct Look;

impl Boundary for Look {
    type Models = Places;
    type Reply = (SystemTime, Metadata, Option<Uuid>);
    type Rejection = Refused;

    fn about(&self) -> super::school::CourseId {
        course("c1")
    }

    fn decide(&self, _: &Places, cx: &BoundaryContext) -> Concluded<Self> {
        let said = (cx.now(), cx.metadata().clone(), cx.command_id());
        let event: StreamEvents = defined("c1", 1);
        Ok((event, said).into())
    }
}

#[tokio::test]
async fn the_context_says_time_metadata_and_id_and_the_events_carry_them() {
    let (database, _) = bench().await;
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3_600);
    let app = App::builder(database.db()).clock(move || noon).start().await.unwrap();
    let visit = Metadata::new().correlation("visit 7").with("desk", 3);
    let key = Uuid::now_v7();
    let first = app.decide(Look).metadata(visit.clone()).command_id(key).await.unwrap();
    let caused = visit.clone().causation(key.to_string());
    assert_eq!(first.reply, (noon, caused.clone(), Some(key)));
    let plain = app.decide(Look).await.unwrap();
    assert_eq!(plain.reply, (noon, Metadata::new(), None));
    let all = app.store().settled_events(foldlog::Filter::all(), None).unwrap();
    let page = all.typed::<CourseEvent>().next().await.unwrap().unwrap();
    assert_eq!(page.metadata, caused);
}

#[tokio::test]
async fn tenants_decide_apart() {
    let (_database, app) = bench().await;
    let other = app.tenant(Tenant::new("other").unwrap());
    app.append([defined("c1", 1)]).await.unwrap();
    other.append([defined("c1", 1)]).await.unwrap();
    app.decide(subscribe("c1", "ada")).await.unwrap();
    // The same course is another one there, with its own place, and so is the student.
    let done = other.decide(subscribe("c1", "ada")).await.unwrap();
    assert_eq!((done.reply, done.streams[0].version), (0, 2));
    assert_eq!(refusal(other.decide(subscribe("c1", "bob")).await), Refused::Full);
    let third = app.tenant(Tenant::new("third").unwrap());
    assert_eq!(refusal(third.decide(subscribe("c1", "bob")).await), Refused::Unknown);
}

#[tokio::test]
async fn after_the_shutdown_nothing_is_decided() {
    let (_database, app) = bench().await;
    app.shutdown().await.unwrap();
    assert_eq!(kind(app.decide(subscribe("c1", "ada")).await), ErrorKind::Stopped);
}
