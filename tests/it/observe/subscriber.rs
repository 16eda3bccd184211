//! A tracing subscriber that remembers every span and event.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
};

use tokio::time::Instant;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

/// Records spans and events while `case` is played.
pub(super) async fn told<F: Future<Output = ()>>(case: impl FnOnce() -> F) -> Told {
    let told = Told::default();
    let guard = crate::log::listen(Registry::default().with(told.clone()));
    case().await;
    tokio::time::sleep(super::ALL_OVER).await;
    drop(guard);
    told
}

#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<Line>>>);

/// A span or an event, in the order of their beginnings.
struct Line {
    id: Option<Id>,
    /// `level name`, and `in` or `after` another span.
    head: String,
    fields: Vec<(&'static str, String)>,
    began: Instant,
    closed: Option<Instant>,
}

impl Line {
    /// Checks that a span has been open just as long as it says.
    fn check(&self) {
        let closed = self.closed.unwrap_or_else(|| panic!("{self} is open"));
        let said = self
            .fields
            .iter()
            .find(|(name, _)| *name == "duration_seconds");
        if let Some((_, said)) = said {
            let open = closed.duration_since(self.began).as_secs_f64();
            let said: f64 = said.parse().unwrap();
            assert!((open - said).abs() < 0.001, "{self} was open for {open} s");
        }
    }
}

impl Told {
    /// One line for each span: its name, the number of its parent or of its cause, and its fields.
    pub(super) fn spans(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let spans = lines.iter().filter(|line| line.id.is_some());
        let spans = spans.inspect(|span| span.check());
        spans.map(ToString::to_string).collect()
    }

    pub(super) fn events(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let events = lines.iter().filter(|line| line.id.is_none());
        events.map(ToString::to_string).collect()
    }

    fn number(&self, wanted: &Id) -> usize {
        let lines = self.0.lock().unwrap();
        let spans: Vec<_> = lines.iter().filter_map(|line| line.id.as_ref()).collect();
        // The id of a closed span may be given again.
        let last = spans.iter().rposition(|id| *id == wanted);
        last.expect("a known span")
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut Line)) {
        let mut lines = self.0.lock().unwrap();
        let mut spans = lines.iter_mut().rev();
        change(spans.find(|line| line.id.as_ref() == Some(id)).unwrap());
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        let mut fields = self.fields.iter();
        fields.try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        assert!(
            self.fields.iter().all(|(name, _)| *name != field.name()),
            "{field} of {} is recorded twice",
            self.head
        );
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut line = Line {
            id: Some(id.clone()),
            head: format!("{} {}", metadata.level(), metadata.name()),
            fields: Vec::new(),
            began: Instant::now(),
            closed: None,
        };
        attributes.record(&mut line);
        if let Some(parent) = context.span(id).unwrap().parent() {
            let _ = write!(line.head, " in {}", self.number(&parent.id()));
        }
        self.0.lock().unwrap().push(line);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |line| record.record(line));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        // Subscribers drop a link to a closed span.
        assert!(context.span(follows).is_some());
        let cause = self.number(follows);
        self.change(id, |line| {
            let _ = write!(line.head, " after {cause}");
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line {
            id: None,
            head: event.metadata().level().to_string(),
            fields: Vec::new(),
            began: Instant::now(),
            closed: None,
        };
        event.record(&mut line);
        if let Some(span) = context.event_span(event) {
            let _ = write!(line.head, " in {}", self.number(&span.id()));
        }
        self.0.lock().unwrap().push(line);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |line| line.closed = Some(Instant::now()));
    }
}
