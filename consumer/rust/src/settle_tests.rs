use super::*;

fn dead(reason: Reason) -> DeadReason {
    DeadReason::new(reason, "json")
}

#[test]
fn the_truth_table() {
    let refused = DeadReason::new(Reason::RefusedByStore, "mongodb 121");
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
fn a_delivery_that_is_held_is_never_acknowledged_with_those_behind_it() {
    let good = || Outcome::Stored;
    let bad = || Outcome::DeadLetter(dead(Reason::NotJson));
    let up_to = |delivery| Acknowledgement { delivery, multiple: true };
    let alone = |delivery| Acknowledgement { delivery, multiple: false };
    // Outcomes, whether a delivery of an earlier batch is held, what is acknowledged.
    type Case<'a> = (&'a [Outcome], bool, &'a [Acknowledgement]);
    let cases: [Case; 7] = [
        (&[good(), good(), good()], false, &[up_to(2)]),
        (&[good(), good()], true, &[alone(0), alone(1)]),
        (&[good(), bad(), good(), good()], false, &[up_to(0), alone(2), alone(3)]),
        (&[bad(), good(), bad()], false, &[alone(1)]),
        (&[good(), good(), bad()], false, &[up_to(1)]),
        (&[bad(), bad()], false, &[]),
        (&[good(), bad(), good()], true, &[alone(0), alone(2)]),
    ];
    for (outcomes, held, expected) in cases {
        assert_eq!(acknowledgements_of(outcomes, held), expected, "{outcomes:?}, held: {held}");
    }
}
