use super::*;

fn chunk(campaign: &str, first_sequence: i32) -> Chunk {
    Chunk {
        campaign_id: campaign.into(),
        company_id: "comp".into(),
        message: "Oi".into(),
        first_sequence,
        phone_numbers: vec!["+5511900000001".into(), "+5511900000002".into()],
    }
}

const OWED: AdmitRow = AdmitRow { campaign_known: true, size: Some(2), running: true, stored: false };

#[test]
fn the_ledger_decides_what_becomes_of_a_chunk() {
    let dead = |reason, detail: &str| Verdict::Dead(DeadReason::new(reason, detail));
    let of_another_size = dead(Reason::UnknownChunk, "ledger /phone_numbers");
    let cases = [
        (OWED, Verdict::Owed),
        (AdmitRow { stored: true, ..OWED }, Verdict::Repeated),
        (AdmitRow { running: false, ..OWED }, Verdict::LetGo),
        // When two rows of the tables fit, the upper one counts.
        (AdmitRow { running: false, stored: true, ..OWED }, Verdict::LetGo),
        (AdmitRow { size: Some(3), running: false, ..OWED }, of_another_size),
        (AdmitRow { size: None, ..OWED }, dead(Reason::UnknownChunk, "ledger /first_sequence")),
        (
            AdmitRow { campaign_known: false, size: None, running: false, stored: false },
            dead(Reason::UnknownCampaign, "ledger /campaign_id"),
        ),
    ];
    for (known, verdict) in cases {
        let chunk = chunk("camp", 1);
        let ledger = HashMap::from([(("camp".to_owned(), 1), known)]);
        let admission = judge(&[ChunkDelivery { delivery: 0, chunk: &chunk }], &ledger);
        assert_eq!(admission.owed.len(), usize::from(verdict == Verdict::Owed), "{known:?}");
        assert_eq!(admission.verdicts, [(0, verdict)], "{known:?}");
    }
}

#[test]
fn of_a_chunk_that_is_there_twice_one_is_owed() {
    let (first, again, other) = (chunk("camp", 1), chunk("camp", 1), chunk("camp", 3));
    let ledger = HashMap::from([(("camp".to_owned(), 1), OWED), (("camp".to_owned(), 3), OWED)]);
    let chunks =
        [&first, &again, &other].into_iter().enumerate().map(|(delivery, chunk)| ChunkDelivery { delivery, chunk });
    let admission = judge(&chunks.collect::<Vec<_>>(), &ledger);
    let verdicts: Vec<_> = admission.verdicts.into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(verdicts, [Verdict::Owed, Verdict::Repeated, Verdict::Owed]);
    assert_eq!(admission.owed.iter().map(|it| it.delivery).collect::<Vec<_>>(), [0, 2]);
}
