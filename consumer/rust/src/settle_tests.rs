use super::*;
use lapin::types::FieldTable;

fn dead(reason: Reason) -> DeadReason {
    DeadReason::new(reason, "/ must be right")
}

#[test]
fn the_truth_table() {
    let refused = DeadReason::new(Reason::RefusedByStore, "/ must match the validator of the collection");
    let cases = [
        (Verdict::Dead(dead(Reason::NotJson)), false, Outcome::DeadLetter(dead(Reason::NotJson))),
        (Verdict::Dead(dead(Reason::UnknownChunk)), false, Outcome::DeadLetter(dead(Reason::UnknownChunk))),
        (Verdict::LetGo, false, Outcome::LetGo),
        (Verdict::Repeated, false, Outcome::Repeated),
        (Verdict::Owed, true, Outcome::DeadLetter(refused)),
        (Verdict::Owed, false, Outcome::Stored),
    ];
    for (verdict, refused, outcome) in cases {
        assert_eq!(outcome_of(verdict.clone(), refused), outcome, "{verdict:?}, refused: {refused}");
    }
}

#[test]
fn a_refusal_is_of_its_own_delivery_alone_and_all_stand_in_the_order_of_the_queue() {
    let written = Written { stored: 1, repeated: 0, refused: [2].into() };
    let verdicts = [(1, Verdict::Dead(dead(Reason::NotJson))), (0, Verdict::Owed), (2, Verdict::Owed)];
    let outcomes = outcomes_of(3, verdicts, &written).expect("each has a verdict");
    assert!(matches!(outcomes.as_slice(), [Outcome::Stored, Outcome::DeadLetter(_), Outcome::DeadLetter(_)]));
}

#[test]
fn a_delivery_without_a_verdict_is_never_acknowledged() {
    let outcomes = outcomes_of(2, [(0, Verdict::Owed)], &Written::default());
    assert!(matches!(outcomes, Err(Halt::Bug(_))));
}

#[test]
fn a_dead_letter_is_the_message_as_it_came_but_for_what_the_broker_acts_upon() {
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString("t".into()));
    headers.insert("reason".into(), AMQPValue::LongInt(1));
    let came = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_type("campaign-chunk.v1".into())
        .with_priority(3)
        .with_delivery_mode(1)
        .with_expiration("1".into())
        .with_user_id("somebody".into())
        .with_headers(headers.clone());
    let delivery = Delivery::new(1, came, b"x".to_vec());
    for (name, value) in [("reason", "not_json"), ("detail", "/ must be right"), ("source_queue", "q")] {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let expected = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_type("campaign-chunk.v1".into())
        .with_priority(3)
        .with_delivery_mode(2)
        .with_headers(headers);
    assert_eq!(as_it_came(&delivery, &dead(Reason::NotJson), "q"), expected);
}
