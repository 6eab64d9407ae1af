use super::*;

const FRAME_MAX: u32 = 131_072;

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
    assert_eq!(as_it_came(&delivery, &dead(Reason::NotJson), "q", FRAME_MAX), expected);
}

#[test]
fn headers_that_no_frame_can_hold_any_more_are_dropped_whole_and_the_rest_is_kept() {
    let letter = |length: usize| {
        let mut headers = FieldTable::default();
        headers.insert("big".into(), AMQPValue::LongString("x".repeat(length).into()));
        let came = BasicProperties::default().with_message_id("m".into()).with_headers(headers);
        as_it_came(&Delivery::new(1, came, b"x".to_vec()), &dead(Reason::NotJson), "q", FRAME_MAX)
    };
    let mut dropped = FieldTable::default();
    dropped.insert("headers_dropped".into(), AMQPValue::Boolean(true));
    for (name, value) in [("reason", "not_json"), ("detail", "/ must be right"), ("source_queue", "q")] {
        dropped.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let kept = |length| letter(length).headers().as_ref().is_some_and(|headers| headers.contains_key("big"));
    assert!(kept(120_000));
    let longest = (130_000..131_072).take_while(|length| kept(*length)).last().expect("one that fits");
    assert_eq!(gen_properties(&letter(longest))(Vec::new().into()).expect("bytes").write.len() + 20, 131_072);
    let expected = BasicProperties::default().with_message_id("m".into()).with_delivery_mode(2).with_headers(dropped);
    assert_eq!(letter(longest + 1), expected);
}
