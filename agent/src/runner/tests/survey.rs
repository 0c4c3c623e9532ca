use parallax_model::facts::{HelloSent, ServerAnswerFacts, TlsEnd, TlsFacts};

use super::*;

pub(super) fn alert_70() -> TlsFacts {
    TlsFacts {
        hello: HelloSent::default(),
        end: TlsEnd::Alert(70),
        end_us: 1_000,
        first_byte_us: Some(1_000),
        bytes_read: 7,
        answer: ServerAnswerFacts::default(),
        handshake: None,
        certificates: vec![],
        transcript: vec![],
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_turned_down_slow_nothing_down_and_start_no_hunt() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(Script { tls13_alone: true, ..script(&["192.0.2.1"]) }, &["192.0.2.0/24"]);
            let mut order = assignment("tls://shop.example.test", Work::Row);
            order.check = order.check.with_profiles(&["all-clients".to_owned()]).unwrap();
            let clients = order.check.profiles.len();
            let begun = Instant::now();
            let reported = world.run(order).await;
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
            let cells = reported.outcomes(Experiment::Baseline);
            assert_eq!(cells.len(), clients);
            assert!(cells.values().all(|outcomes| *outcomes == ["ok", "ok"] || *outcomes == ["tls.alert.70", "tls.alert.70"]), "{cells:?}");
            let asked: Vec<Experiment> = reported.attempts.iter().map(|attempt| attempt.experiment).filter(|what| *what != Experiment::Baseline).collect();
            assert_eq!(asked, [Experiment::Resolve, Experiment::LegacyHello]);
        })
        .await;
}
