//! Lanes: the lines of one stock code are played one after the other, in the order of the file, and
//! those of different codes at the same time. So the same lines are refused in every run.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::SystemTime;

use csv::StringRecord;
use foldlog::Loaded;
use foldlog::prelude::*;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::input::{Input, InputError, Survey};
use crate::invoice::InvoiceNumber;
use crate::line::Line;
use crate::progress::Played;
use crate::stock::{Play, Stock, StockCode};

/// How many lines wait before a lane. Memory is bounded; and lanes drift apart, so that they rarely
/// wait for one another at the invoice to which neighbouring lines belong.
const WAITING_MAX: usize = 256;
/// How many states a lane keeps. There are a few thousand stock codes; should a file have many more,
/// they are loaded again now and then.
const KNOWN_MAX: usize = 2_000;

/// Plays a file to its end, or until `stop`. Gives the token of the last line that is in the store.
pub async fn play(
    app: &App,
    input: &Input,
    survey: &Survey,
    lanes: usize,
    played: &Arc<Played>,
    stop: &CancellationToken,
) -> Result<Option<Token>, Failure> {
    // A lane that fails stops the others, but not what goes on around them.
    let stop = stop.child_token();
    let _stop_on_drop = stop.clone().drop_guard();
    let mut running = JoinSet::new();
    let mut entrances = Vec::with_capacity(lanes);
    for _ in 0..lanes {
        let (entrance, lines) = mpsc::channel(WAITING_MAX);
        entrances.push(entrance);
        let lane = Lane {
            app: app.clone(),
            sha256: survey.sha256.clone(),
            known: HashMap::new(),
            last: None,
            played: played.clone(),
        };
        running.spawn(lane.run(lines, stop.clone()));
    }
    let (reader, until) = (input.clone(), stop.clone());
    let feeding = tokio::task::spawn_blocking(move || feed(&reader, &entrances, &until));

    let mut last: Option<Token> = None;
    let mut failure = None;
    while let Some(end) = running.join_next().await {
        match end? {
            Ok(token) => last = later(last, token),
            Err(error) => {
                stop.cancel();
                failure.get_or_insert(error);
            }
        }
    }
    let sha256 = feeding.await??;
    if let Some(failure) = failure {
        return Err(failure);
    }
    if sha256.is_some_and(|sha256| sha256 != survey.sha256) {
        return Err(InputError::Changed { path: input.path().to_owned() }.into());
    }
    Ok(last)
}

/// Gives every line to its lane. The SHA-256 of the file if it came to its end.
fn feed(
    input: &Input,
    entrances: &[mpsc::Sender<Line>],
    stop: &CancellationToken,
) -> Result<Option<String>, InputError> {
    let mut records = input.records()?;
    let mut record = StringRecord::new();
    while let Some(number) = records.read(&mut record)? {
        let line = records.line(number, &record)?;
        let mut hasher = DefaultHasher::new();
        line.code.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % entrances.len().max(1) as u64);
        let Some(entrance) = lane.ok().and_then(|lane| entrances.get(lane)) else {
            return Ok(None);
        };
        // A lane that no longer takes lines has failed or was stopped, and says so itself.
        if stop.is_cancelled() || entrance.blocking_send(line).is_err() {
            return Ok(None);
        }
    }
    records.into_sha256().map(Some)
}

struct Lane {
    app: App,
    sha256: String,
    /// States as this lane left them, so that a line needs no load. The append checks them.
    known: HashMap<StockCode, Loaded<Stock>>,
    last: Option<Token>,
    played: Arc<Played>,
}

impl Lane {
    async fn run(
        mut self,
        mut lines: mpsc::Receiver<Line>,
        stop: CancellationToken,
    ) -> Result<Option<Token>, Failure> {
        loop {
            let line = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                line = lines.recv() => line,
            };
            match line {
                Some(line) => self.play(line).await?,
                None => return Ok(self.last),
            }
        }
    }

    async fn play(&mut self, line: Line) -> Result<(), Failure> {
        let (code, invoice) = (StockCode(line.code.clone()), InvoiceNumber(line.invoice.clone()));
        let (number, id) = (line.number, line.command_id(&self.sha256));
        let play = Play(line);
        loop {
            let mut stock = match self.known.remove(&code) {
                Some(stock) => stock,
                None => self.app.load::<Stock>(&code).await?,
            };
            if stock.state.has_decided(number) {
                self.played.skipped();
                self.keep(code, stock);
                return Ok(());
            }
            let cx = Context::new(code.clone(), stock.version, SystemTime::now());
            let Ok(decision) = stock.state.decide(&play, &cx);
            let (events, on_invoice) = decision.into_parts();
            let count = events.len() + usize::from(on_invoice.is_some());
            // The stock last: the end of its stream then stands for the whole line.
            let streams = on_invoice
                .map(|event| any(&invoice, event))
                .into_iter()
                .chain([stock.events(events.clone())]);
            match self.app.append(streams).id(id).await {
                Ok(appended) => {
                    self.last = later(self.last, Some(appended.token));
                    self.played.appended(count, &appended.token);
                    // Not kept after a repeat: the state may have been older than that.
                    if stock.advance(&events, &appended) {
                        self.keep(code, stock);
                    }
                    return Ok(());
                }
                // Something else was appended meanwhile: decide again, on what is there now.
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn keep(&mut self, code: StockCode, stock: Loaded<Stock>) {
        self.last = later(self.last, Some(stock.token));
        if self.known.len() == KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(code, stock);
    }
}

fn later(one: Option<Token>, other: Option<Token>) -> Option<Token> {
    one.into_iter().chain(other).max_by_key(Token::position)
}
