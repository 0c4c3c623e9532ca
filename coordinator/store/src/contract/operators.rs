use super::{
    Fixture,
    samples::{at, bytes},
};
use crate::{AuditEntry, OperatorToken, Role};

pub(crate) async fn operators_are_found_by_their_secret(fixture: impl Fixture) {
    let store = fixture.store();
    let operator = |text: &str, role, secret| OperatorToken { name: text.to_owned(), role, secret_sha256: bytes(secret), created_at: at(1) };
    let (ann, bob) = (operator("ann", Role::Viewer, 1), operator("bob", Role::Admin, 2));
    store.put_operator_token(&bob).await.unwrap();
    store.put_operator_token(&ann).await.unwrap();
    assert_eq!(store.operator_by_secret(&bytes(2)).await.unwrap(), Some(bob.clone()));
    assert_eq!(store.operator_by_secret(&bytes(3)).await.unwrap(), None);
    assert_eq!(store.list_operator_tokens().await.unwrap(), [ann.clone(), bob.clone()]);
    let renewed = operator("ann", Role::Operator, 4);
    store.put_operator_token(&renewed).await.unwrap();
    assert_eq!(store.operator_by_secret(&bytes(1)).await.unwrap(), None, "the former secret is void");
    assert_eq!(store.operator_by_secret(&bytes(4)).await.unwrap(), Some(renewed));
    assert!(store.delete_operator_token("bob").await.unwrap());
    assert!(!store.delete_operator_token("bob").await.unwrap());
    assert_eq!(store.operator_by_secret(&bytes(2)).await.unwrap(), None);
}

pub(crate) async fn the_audit_log_ends_with_the_newest_line(fixture: impl Fixture) {
    let store = fixture.store();
    let entry = |second, action: &str| AuditEntry {
        at: at(second),
        actor: "ann".into(),
        action: action.into(),
        object: "check/shop".into(),
        detail: "revision 2".into(),
    };
    let lines = [entry(1, "create"), entry(2, "pause"), entry(2, "resume"), entry(3, "delete")];
    for line in &lines {
        store.audit(line).await.unwrap();
    }
    let mut newest_first = lines.to_vec();
    newest_first.reverse();
    assert_eq!(store.audit_log(10).await.unwrap(), newest_first);
    assert_eq!(store.audit_log(2).await.unwrap(), newest_first[..2]);
}
