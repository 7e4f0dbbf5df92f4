-- What does this mix teach by accident?
-- parameters: most_findings = 20 — findings shown
select
    finding_rank,
    sentence,
    p_behavior_given_trigger,
    p_low,
    p_high,
    base_rate,
    lift,
    both_rows,
    scope,
    top_chunk,
    top_chunk_share,
from report.findings
where finding_rank <= getvariable('most_findings') and not is_echo
order by finding_rank asc
