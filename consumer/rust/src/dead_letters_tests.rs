use super::*;
use crate::decode::Reason;

const FRAME_MAX: u32 = 131_072;

fn dead(reason: Reason) -> DeadReason {
    DeadReason::new(reason, "json")
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
    for (name, value) in [("reason", "not_json"), ("detail", "json"), ("source_queue", "q")] {
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
    let dead_letter = |length: usize| {
        let mut headers = FieldTable::default();
        headers.insert("big".into(), AMQPValue::LongString("x".repeat(length).into()));
        let came = BasicProperties::default().with_message_id("m".into()).with_headers(headers);
        as_it_came(&Delivery::new(1, came, b"x".to_vec()), &dead(Reason::NotJson), "q", FRAME_MAX)
    };
    let mut dropped = FieldTable::default();
    dropped.insert("headers_dropped".into(), AMQPValue::Boolean(true));
    for (name, value) in [("reason", "not_json"), ("detail", "json"), ("source_queue", "q")] {
        dropped.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let kept = |length| dead_letter(length).headers().as_ref().is_some_and(|headers| headers.contains_key("big"));
    assert!(kept(120_000));
    let longest = (130_000..131_072).take_while(|length| kept(*length)).last().expect("one that fits");
    assert_eq!(gen_properties(&dead_letter(longest))(Vec::new().into()).expect("bytes").write.len() + 20, 131_072);
    let expected = BasicProperties::default().with_message_id("m".into()).with_delivery_mode(2).with_headers(dropped);
    assert_eq!(dead_letter(longest + 1), expected);
}
