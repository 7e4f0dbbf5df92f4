-- report.confirmations: findings that the triggers of an audit confirm, because both rest on nearly the same rows
-- grain: one row per trigger of a failure and finding
-- paper: own; a finding says before training what a traced failure shows after it
with audited as (
    select
        failure_id,
        trigger_rank,
        crux_id,
        cluster_id,
        hits,
    from turf.triggers
    where audit = getvariable('audit')
),

cluster_members as (
    select distinct
        cluster_id,
        row_id,
    from clusters.postings
    where cluster_id in (select cluster_id from audited)
),

cluster_sizes as (
    select
        cluster_id,
        count(*) as cluster_rows,
    from cluster_members
    group by all
),

cue_members as (
    select
        feature_id as trigger_id,
        row_id,
    from correlations.members
    where feature_id in (select trigger_id from report.findings)
),

cue_sizes as (
    select
        trigger_id,
        count(*) as cue_rows,
    from cue_members
    group by all
),

meetings as (
    select
        cluster_id,
        trigger_id,
        count(*) as shared_rows,
    from cluster_members
    inner join cue_members using (row_id)
    group by all
),

alike as (
    select
        cluster_id,
        trigger_id,
        shared_rows / (cluster_rows + cue_rows - shared_rows) as trigger_similarity,
    from meetings
    inner join cluster_sizes using (cluster_id)
    inner join cue_sizes using (trigger_id)
    where trigger_similarity >= getvariable('least_similarity')
),

hit_rows as (
    select distinct
        failure_id,
        trigger_rank,
        cluster_id,
        hits,
        row_id,
    from audited
    inner join turf.neighbors as neighbors using (crux_id)
    inner join cluster_members using (cluster_id, row_id)
    where neighbors.audit = getvariable('audit')
),

told as (
    select
        failure_id,
        trigger_rank,
        finding_id,
        hits,
        trigger_similarity,
        count(*) as shared_hits,
    from hit_rows
    inner join alike using (cluster_id)
    inner join report.findings as findings using (trigger_id)
    inner join cue_members using (trigger_id, row_id)
    inner join correlations.members as behavior_members
        on findings.behavior_id = behavior_members.feature_id and hit_rows.row_id = behavior_members.row_id
    group by all
)

select
    getvariable('audit') as audit,
    failure_id,
    trigger_rank,
    finding_id,
    hits,
    shared_hits,
    trigger_similarity,
from told
where shared_hits >= getvariable('least_similarity') * hits
order by failure_id, trigger_rank, finding_id
