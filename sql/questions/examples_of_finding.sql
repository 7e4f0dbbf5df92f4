-- Which rows show a finding?
-- parameters: finding = 1 — the finding's rank; see the question top_findings
--   most_rows = 10 — rows shown, spread over chunks, shortest first
select
    row_id,
    chunk,
    conversation_id,
    turn,
    query,
    response,
from
    correlations.examples(
        (select trigger_id from report.findings where finding_rank = getvariable('finding')),
        (select behavior_id from report.findings where finding_rank = getvariable('finding')),
        getvariable('most_rows')
    )
order by chunk asc, row_id asc
