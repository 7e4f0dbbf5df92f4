-- Which findings of the mix rest on the rows that taught the failures of an audit?
-- parameters: audit = "" — the audit; empty = all
--   most_findings = 20 — findings shown, those of most failures first
with told as (
    select
        finding_id,
        count(distinct failure_id) as failures,
        count(distinct failure_id) filter (where trigger_rank = 1) as best_failures,
        max(trigger_similarity) as trigger_similarity,
        max(shared_hits / hits) as shared_share,
    from report.confirmations
    where coalesce(getvariable('audit'), '') = '' or audit = getvariable('audit')
    group by all
)

select
    finding_rank,
    failures,
    best_failures,
    trigger_similarity,
    shared_share,
    sentence,
from told
inner join report.findings using (finding_id)
order by best_failures desc, failures desc, finding_rank asc
limit getvariable('most_findings')
