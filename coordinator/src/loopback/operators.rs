use parallax_model::{check::Check, clock::Timestamp};
use parallax_proto::v1::{self, run_round_request::What};
use tonic::Code;

use super::{Agent, World};
use crate::serve::{StartError, start};

fn check(name: &str, change: impl Fn(&mut v1::Check)) -> v1::PutCheckRequest {
    let mut message = v1::Check::from(&Check::once("x.test".parse().unwrap(), Timestamp::default()));
    name.clone_into(&mut message.name);
    message.cadence = Some(v1::Cadence { kind: Some(v1::cadence::Kind::EveryMs(60_000)) });
    change(&mut message);
    v1::PutCheckRequest { check: Some(message), create_only: true, ..Default::default() }
}

#[tokio::test]
async fn callers_without_a_known_token_are_refused() {
    let world = World::new().await;
    for token in ["", "plxt_", "plxt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &world.admin.token[5..]] {
        let refused = world.operator_with(token).await.get_status(v1::GetStatusRequest {}).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token}");
    }
    let status = world.operator().await.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.responders.len(), 1);
    assert!(status.responders[0].addresses[0].starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_sentence() {
    let world = World::new().await;
    let mut operator = world.operator().await;
    let early = operator.put_check(check("early", |_| {})).await.unwrap().into_inner();
    assert!(early.created && early.vantages.is_empty());
    let empty_fleet = operator.run_round(v1::RunRoundRequest { what: Some(What::Name("early".into())) }).await.err().unwrap();
    assert_eq!(empty_fleet.code(), Code::FailedPrecondition);
    assert!(empty_fleet.message().contains("vantage token create"), "{empty_fleet:?}");
    let _north = Agent::join(&world, "north").await;
    for (request, code, part) in [
        (check("web", |check| check.profiles = vec!["opera-5".into()]), Code::InvalidArgument, "there is no profile \"opera-5\""),
        (check("web", |check| check.from = "site=moon".into()), Code::FailedPrecondition, "no vantage matches \"site=moon\"; there are: north"),
        (check("web", |check| check.target = "://".into()), Code::InvalidArgument, "target"),
        (check("web", |check| check.cadence = None), Code::InvalidArgument, "--every"),
        (check("", |_| {}), Code::InvalidArgument, "needs a name"),
    ] {
        let refused = operator.put_check(request).await.err().unwrap();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(part), "{refused:?}");
    }
    let put = operator.put_check(check("web", |_| {})).await.unwrap().into_inner();
    assert!(put.created && put.changed && put.vantages == ["north"]);
    assert_eq!(operator.put_check(check("web", |_| {})).await.err().unwrap().code(), Code::AlreadyExists);
    let mut again = check("web", |_| {});
    again.create_only = false;
    let unchanged = operator.put_check(again).await.unwrap().into_inner();
    assert!(!unchanged.created && !unchanged.changed);
    let unknown = operator.run_round(v1::RunRoundRequest { what: Some(What::Name("wep".into())) }).await.err().unwrap();
    assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, "no check is called \"wep\"; did you mean web?"));
    let unknown = operator.delete_vantage(v1::DeleteVantageRequest { name: "nord".into() }).await.err().unwrap();
    assert!(unknown.message().contains("did you mean north?"), "{unknown:?}");
    let round = operator.get_verdict(v1::GetVerdictRequest { round: "no-uuid".into(), ..Default::default() }).await.err().unwrap();
    assert_eq!(round.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_second_start_on_the_same_directory_is_refused() {
    let mut world = World::new().await;
    let refused = start(&world.config()).await.err().unwrap();
    assert!(matches!(refused, StartError::AlreadyRunning(_)), "{refused}");
    world.stop().await;
    start(&world.config()).await.unwrap().stop().await;
}

#[tokio::test]
async fn the_page_and_the_numbers_are_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::new().await;
    let _north = Agent::join(&world, "north").await;
    for (path, part) in [("/", "<td>north</td><td>online</td>"), ("/metrics", "parallax_sessions 1\n"), ("/healthz", "ok"), ("/readyz", "ready")] {
        let mut stream = tokio::net::TcpStream::connect(world.running.as_ref().unwrap().http().unwrap()).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(part), "{path}: {answer}");
    }
}
