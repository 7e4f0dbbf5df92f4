-- Which causes do the failures of an audit have, and how many failures does each explain?
-- parameters: audit = "" — the audit; empty = all
with caused as (
    select
        traces.audit,
        failure_id,
        verdict,
        explanation,
        cluster_id,
        cluster_name,
        trace_score,
        query,
        response,
        chunks,
        chunk_shares,
    from turf.traces as traces
    inner join turf.failures using (audit, failure_id)
    left join turf.triggers as triggers
        on traces.audit = triggers.audit and traces.failure_id = triggers.failure_id and triggers.trigger_rank = 1
    where coalesce(getvariable('audit'), '') = '' or traces.audit = getvariable('audit')
)

select
    audit,
    verdict,
    any_value(cluster_name) as trigger,
    count(*) as failures,
    arg_max(explanation, (coalesce(trace_score, 0), failure_id)) as explanation,
    arg_max(query, (coalesce(trace_score, 0), failure_id)) as query,
    arg_max(response, (coalesce(trace_score, 0), failure_id)) as response,
    arg_max(chunks, (coalesce(trace_score, 0), failure_id)) as chunks,
    arg_max(chunk_shares, (coalesce(trace_score, 0), failure_id)) as chunk_shares,
from caused
group by audit, verdict, cluster_id
order by audit asc, verdict = 'traced' desc, failures desc, cluster_id asc
