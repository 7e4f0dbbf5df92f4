-- What taught the model each failure of an audit?
-- parameters: audit = "" — the audit; empty = all
--   most_triggers = 1 — triggers shown of each failure, best first
with verdicts as (
    select
        audit,
        failure_id,
        rubric,
        verdict,
        query,
    from turf.traces
    inner join turf.failures using (audit, failure_id)
    where coalesce(getvariable('audit'), '') = '' or audit = getvariable('audit')
)

select
    verdicts.audit,
    verdicts.failure_id,
    rubric,
    verdict,
    trigger_rank,
    attribute,
    crux,
    hits,
    triggers.neighbors,
    expected,
    lift,
    trigger_score,
    null_share,
    cluster_rows,
    p_behavior_given_trigger,
    chunks[:3] as chunks,
    chunk_shares[:3] as chunk_shares,
    left(query, 200) as query,
from verdicts
left join turf.triggers as triggers
    on
        verdicts.audit = triggers.audit
        and verdicts.failure_id = triggers.failure_id
        and trigger_rank <= getvariable('most_triggers')
left join turf.cruxes as cruxes
    on triggers.audit = cruxes.audit and triggers.failure_id = cruxes.failure_id and triggers.crux_id = cruxes.crux_id
order by verdicts.audit asc, rubric asc, verdicts.failure_id asc, trigger_rank asc
