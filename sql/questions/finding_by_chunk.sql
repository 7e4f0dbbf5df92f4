-- Does a finding hold inside each chunk, or does one chunk carry it?
-- parameters: finding = 1 — the finding's rank; see the question top_findings
select
    chunk,
    chunk_rows,
    trigger_rows,
    behavior_rows,
    both_rows,
    p_behavior_given_trigger,
    p_low,
    p_high,
    base_rate,
    lift,
    share_of_both,
from
    correlations.pair_by_chunk(
        (select trigger_id from report.findings where finding_rank = getvariable('finding')),
        (select behavior_id from report.findings where finding_rank = getvariable('finding'))
    )
order by both_rows desc, trigger_rows desc, chunk asc
