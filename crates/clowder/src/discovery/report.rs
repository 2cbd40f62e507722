//! What a provider tells: lists to the group, troubles to the operator, both to the metrics.
//!
//! Troubles are logged when they change, so that an outage of a day is two lines, and counted always.

use std::collections::BTreeMap;
use std::fmt::Display;

use clowder_proto::group::Source;
use tokio::sync::mpsc;

use super::{Answer, Found};

/// Causes of skipped entries that are remembered for the log.
const SKIPPED_MAX: usize = 256;

/// What was asked for: each kind of question has its own trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// Who is there now?
    List,
    /// What changes?
    #[cfg(any(feature = "kubernetes", test))]
    Watch,
}

/// The voice of one provider.
#[derive(Debug)]
pub(super) struct Report {
    provider: &'static str,
    source: Source,
    lists: mpsc::Sender<Found>,
    told: Option<Answer>,
    troubles: BTreeMap<Question, String>,
    skipped: BTreeMap<String, &'static str>,
}

impl Report {
    pub(super) fn new(provider: &'static str, source: Source, lists: mpsc::Sender<Found>) -> Self {
        let (troubles, skipped) = (BTreeMap::new(), BTreeMap::new());
        Report { provider, source, lists, told: None, troubles, skipped }
    }

    /// A whole list. Told on if it differs from the last one: a list without news is no news.
    pub(super) async fn answered(&mut self, answer: Answer) {
        metrics::counter!("clowder_discovery_queries_total", "provider" => self.provider).increment(1);
        self.works(Question::List);
        self.changed(answer).await;
    }

    /// The list is another one now, as the last answers say together.
    pub(super) async fn changed(&mut self, answer: Answer) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; there are few members")]
        metrics::gauge!("clowder_discovery_members", "provider" => self.provider).set(answer.list.len() as f64);
        if self.told.as_ref() == Some(&answer) {
            return;
        }
        tracing::debug!(provider = self.provider, members = answer.list.len(), "another list of members");
        self.told = Some(answer.clone());
        self.tell(Some(answer)).await;
    }

    /// A question was not answered, or the answer is of no use.
    pub(super) async fn failed(&mut self, question: Question, kind: &'static str, trouble: impl Display) {
        if question == Question::List {
            metrics::counter!("clowder_discovery_queries_total", "provider" => self.provider).increment(1);
        }
        metrics::counter!("clowder_discovery_failures_total", "provider" => self.provider, "kind" => kind).increment(1);
        let trouble = trouble.to_string();
        if self.troubles.get(&question) != Some(&trouble) {
            let provider = self.provider;
            match question {
                Question::List => {
                    tracing::warn!(provider, "members cannot be discovered, those that are known stay: {trouble}");
                }
                #[cfg(any(feature = "kubernetes", test))]
                Question::Watch => {
                    tracing::warn!(
                        provider,
                        "changes are not told at once, the list is read again and again: {trouble}"
                    );
                }
            }
            self.troubles.insert(question, trouble);
        }
        if question == Question::List {
            self.tell(None).await;
        }
    }

    /// What was in trouble is not any more.
    pub(super) fn works(&mut self, question: Question) {
        if self.troubles.remove(&question).is_some() {
            tracing::info!(provider = self.provider, ?question, "discovery works again");
        }
    }

    /// An entry of a list is of no use.
    #[cfg_attr(
        not(any(feature = "kubernetes", feature = "dns-srv", test)),
        expect(dead_code, reason = "every address of a name is of use")
    )]
    pub(super) fn skipped(&mut self, entry: &str, cause: &'static str) {
        metrics::counter!("clowder_discovery_skipped_total", "provider" => self.provider, "cause" => cause)
            .increment(1);
        if self.skipped.get(entry) == Some(&cause) {
            return;
        }
        if self.skipped.len() >= SKIPPED_MAX {
            self.skipped.clear();
        }
        self.skipped.insert(entry.to_owned(), cause);
        tracing::warn!(provider = self.provider, entry, cause, "an entry of the list is skipped");
    }

    async fn tell(&self, answer: Option<Answer>) {
        // Nobody listens any more: this task is about to be ended.
        let _ = self.lists.send(Found { source: self.source, answer }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged, as text.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn lines_with(&self, text: &str) -> usize {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(text).count()
        }
    }

    fn logged() -> (Log, tracing::subscriber::DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn report() -> (Report, mpsc::Receiver<Found>) {
        let (sender, told) = mpsc::channel(1000);
        (Report::new("dns", Source::new(0).unwrap(), sender), told)
    }

    #[tokio::test]
    async fn troubles_are_logged_when_they_change_and_when_they_end() {
        let (log, _guard) = logged();
        let (mut report, _told) = report();
        for _ in 0..100 {
            report.failed(Question::List, "lookup", "no such name").await;
        }
        assert_eq!(log.lines_with("no such name"), 1);
        report.failed(Question::List, "lookup", "no network").await;
        assert_eq!(log.lines_with("no network"), 1);
        report.answered(Answer::default()).await;
        report.answered(Answer::default()).await;
        assert_eq!(log.lines_with("works again"), 1);
        report.failed(Question::List, "lookup", "no such name").await;
        assert_eq!(log.lines_with("no such name"), 2);
    }

    #[tokio::test]
    async fn a_watch_in_trouble_is_one_line_however_often_the_list_is_read() {
        let (log, _guard) = logged();
        let (mut report, _told) = report();
        for _ in 0..100 {
            report.answered(Answer::default()).await;
            report.failed(Question::Watch, "status", "not allowed").await;
        }
        assert_eq!((log.lines_with("not allowed"), log.lines_with("works again")), (1, 0));
        report.works(Question::Watch);
        assert_eq!(log.lines_with("works again"), 1);
    }

    #[tokio::test]
    async fn a_useless_entry_is_one_line_for_each_cause() {
        let (log, _guard) = logged();
        let (mut report, _told) = report();
        for cause in ["no_name", "no_name", "bad_address", "bad_address"] {
            report.skipped("shop-1", cause);
        }
        report.skipped("shop-2", "no_name");
        assert_eq!(log.lines_with("is skipped"), 3);
        for number in 0..10_000 {
            report.skipped(&number.to_string(), "no_name");
        }
        assert!(report.skipped.len() <= SKIPPED_MAX);
    }

    #[tokio::test]
    async fn a_list_without_news_is_not_told_again() {
        let (mut report, mut told) = report();
        report.answered(Answer::default()).await;
        report.answered(Answer::default()).await;
        report.answered(Answer { own: Some([1; 16]), ..Answer::default() }).await;
        report.failed(Question::List, "lookup", "no").await;
        let mut all = Vec::new();
        while let Ok(found) = told.try_recv() {
            all.push(found.answer.map(|answer| answer.own));
        }
        assert_eq!(all, [Some(None), Some(Some([1; 16])), None]);
    }
}
