use super::*;

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
fn a_delivery_that_is_held_is_never_acknowledged_with_those_behind_it() {
    let good = || Outcome::Stored;
    let bad = || Outcome::DeadLetter(dead(Reason::NotJson));
    // Outcomes, whether letters are held, how far one acknowledgement reaches, what is acknowledged alone.
    type Case<'a> = (&'a [Outcome], bool, Option<usize>, &'a [usize]);
    let cases: [Case; 7] = [
        (&[good(), good(), good()], false, Some(2), &[]),
        (&[good(), good()], true, None, &[0, 1]),
        (&[good(), bad(), good(), good()], false, Some(0), &[2, 3]),
        (&[bad(), good(), bad()], false, None, &[1]),
        (&[good(), good(), bad()], false, Some(1), &[]),
        (&[bad(), bad()], false, None, &[]),
        (&[good(), bad(), good()], true, None, &[0, 2]),
    ];
    for (outcomes, held, up_to, alone) in cases {
        assert_eq!(acknowledgements_of(outcomes, held), (up_to, alone.to_vec()), "{outcomes:?}, held: {held}");
    }
}
