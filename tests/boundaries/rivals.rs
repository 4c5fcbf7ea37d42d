//! Rivals within one boundary, and neighbours that share none.

use foldlog::prelude::*;
use uuid::Uuid;

use super::school::{
    CourseEvent, Held, Leave, Refused, course, defined, student, subscribe, subscribed,
};
use crate::bank::{bench, open, stored};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_conflict_it_is_decided_again_on_newer_models() {
    let (database, app) = bench().await;
    app.append([defined("c1", 3)]).await.unwrap();
    let (command, mut pauses) = Held::new(subscribe("c1", "ada"));
    let running = tokio::spawn(app.decide(command).into_future());
    let first = pauses.decided().await;
    app.decide(subscribe("c1", "bob")).await.unwrap();
    pauses.go();
    let second = pauses.decided().await;
    // A retry is of the same command: its time stays.
    assert_eq!(first.now(), second.now());
    // What does not count in the boundary does not disturb it.
    app.append([defined("c2", 1)]).await.unwrap();
    pauses.go();
    assert_eq!(running.await.unwrap().unwrap().reply, 1);
    assert_eq!(stored(&database).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_again_may_be_rejected_by_then() {
    let (_database, app) = bench().await;
    app.append([defined("c1", 1)]).await.unwrap();
    let (command, mut pauses) = Held::new(subscribe("c1", "ada"));
    let running = tokio::spawn(app.decide(command).into_future());
    pauses.decided().await;
    app.decide(subscribe("c1", "bob")).await.unwrap();
    pauses.go();
    pauses.decided().await;
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ExecuteError::Rejected(Refused::Full)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_is_told_which_events_of_which_commands_overtook_the_decision() {
    let (_database, app) = bench().await;
    app.append([defined("c1", 9)]).await.unwrap();
    let (command, mut pauses) = Held::new(subscribe("c1", "ada"));
    let decide = app.decide(command).retry(Retry::attempts(2));
    let running = tokio::spawn(decide.into_future());
    pauses.decided().await;
    app.decide(subscribe("c1", "bob")).await.unwrap();
    pauses.go();
    pauses.decided().await;
    let key = Uuid::now_v7();
    let first = app.decide(subscribe("c1", "eve")).command_id(key).await.unwrap();
    // One more, of the student's and not of the course's.
    app.append([defined("c2", 1)]).await.unwrap();
    let by_hand = Metadata::new().causation("by hand");
    let second = app.append([subscribed("c2", "ada")]).metadata(by_hand).await.unwrap();
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    let ExecuteError::Overtaken { position, since } = &error else { panic!("{error:?}") };
    assert_eq!((*position, since.count), (first.token.position(), 2));
    let seen = since.events.iter().map(|event| {
        (event.stream.as_str(), event.version, event.position, event.causation_id.as_deref())
    });
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("course-c1", 3, first.token.position(), Some(&*key.to_string())),
            ("course-c2", 2, second.token.position(), Some("by hand")),
        ]
    );
    let text = error.to_string();
    assert!(text.contains(&format!("overtaken by an event at position {position}")), "{text}");
    assert!(text.contains("2 events came in between, first event 3 of course-c1 (type"), "{text}");
    assert!(text.contains(&format!("caused by {key})")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_wants_no_retry_is_overtaken_at_once() {
    let (database, app) = bench().await;
    app.append([defined("c1", 9)]).await.unwrap();
    let (command, mut pauses) = Held::new(subscribe("c1", "ada"));
    let running = tokio::spawn(app.decide(command).retry(Retry::never()).into_future());
    pauses.decided().await;
    app.decide(subscribe("c1", "bob")).await.unwrap();
    pauses.go();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ExecuteError::Overtaken { .. }), "{error:?}");
    assert_eq!(stored(&database).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rivals_for_the_last_places_fill_the_course_and_no_more() {
    let (database, app) = bench().await;
    let apps = [app.clone(), open(database.db()).await];
    app.append([defined("c1", 5)]).await.unwrap();
    let mut rivals = tokio::task::JoinSet::new();
    for n in 0..24 {
        let command = subscribe("c1", &format!("s{n}"));
        rivals.spawn(apps[n % 2].decide(command).retry(Retry::attempts(100)).into_future());
    }
    let mut left = Vec::new();
    while let Some(end) = rivals.join_next().await {
        match end.unwrap() {
            Ok(done) => left.push(done.reply),
            Err(ExecuteError::Rejected(Refused::Full)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4]);
    assert_eq!(stored(&database).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn decisions_that_exclude_one_another_over_two_courses_are_never_both_made() {
    // Write skew: each appends where the other only looks.
    let (_database, app) = bench().await;
    for round in 0..10 {
        let (one, two) = (format!("a{round}"), format!("b{round}"));
        app.append([defined(&one, 9), defined(&two, 9)]).await.unwrap();
        let limit = |at: &str| OnlyOne { at: at.to_owned(), of: [one.clone(), two.clone()] };
        let (left, right) = tokio::join!(
            tokio::spawn(app.decide(limit(&one)).into_future()),
            tokio::spawn(app.decide(limit(&two)).into_future()),
        );
        let won = [left.unwrap(), right.unwrap()].iter().filter(|end| end.is_ok()).count();
        assert_eq!(won, 1, "round {round}");
    }
}

/// Ada may be on one of two courses.
struct OnlyOne {
    at: String,
    of: [String; 2],
}

impl Boundary for OnlyOne {
    type Models = (super::school::Places, super::school::Places);
    type Reply = ();
    type Rejection = Refused;

    fn about(&self) -> (super::school::CourseId, super::school::CourseId) {
        let [one, two] = &self.of;
        (course(one), course(two))
    }

    fn decide(&self, models: &Self::Models, _: &BoundaryContext) -> Concluded<Self> {
        let ada = student("ada");
        if models.0.taken.contains(&ada) || models.1.taken.contains(&ada) {
            return Err(Refused::Already);
        }
        let at = course(&self.at);
        let event = CourseEvent::Subscribed { course: at.clone(), student: ada };
        Ok(any(&at, event).into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn decisions_that_share_nothing_all_succeed_at_the_first_attempt() {
    let (_database, app) = bench().await;
    let courses: Vec<_> = (0..64).map(|n| defined(&format!("c{n}"), 2)).collect();
    app.append(courses).await.unwrap();
    let mut decisions = tokio::task::JoinSet::new();
    for n in 0..64 {
        let app = app.clone();
        decisions.spawn(async move {
            let command = || subscribe(&format!("c{n}"), &format!("s{n}"));
            app.decide(command()).retry(Retry::never()).await?;
            app.decide(Leave(command())).retry(Retry::never()).await?;
            app.decide(command()).retry(Retry::never()).await.map(|done| done.reply)
        });
    }
    while let Some(end) = decisions.join_next().await {
        assert_eq!(end.unwrap().unwrap(), 1);
    }
}
