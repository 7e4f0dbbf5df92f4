-- Are the numbers of an audit's triggers what a count over the mix gives?
-- parameters: audit = "" — the audit; empty = all
--   only_different = false — only triggers whose numbers differ
-- Counted from turf.neighbors, attributes.row_attributes and clusters.assignments, without clusters.postings.
with wanted as (
    select
        audit,
        failure_id,
        trigger_rank,
        crux_id,
        cluster_id,
        attribute,
        hits,
        neighbors,
        cluster_rows,
        expected,
        lift,
        trigger_score,
    from turf.triggers
    where coalesce(getvariable('audit'), '') = '' or audit = getvariable('audit')
),

crux_rows as (
    select distinct
        turf.neighbors.audit,
        turf.neighbors.crux_id,
        row_id,
    from turf.neighbors
    inner join wanted using (audit, crux_id)
),

crux_sizes as (
    select
        audit,
        crux_id,
        count(*) as counted_neighbors,
    from crux_rows
    group by all
),

cluster_members as (
    select distinct
        cluster_id,
        row_id,
    from attributes.row_attributes
    inner join clusters.assignments using (attribute_id)
    where cluster_id in (select cluster_id from wanted)
),

cluster_sizes as (
    select
        cluster_id,
        count(*) as counted_cluster_rows,
    from cluster_members
    group by all
),

meetings as (
    select
        audit,
        crux_id,
        cluster_id,
        count(*) as counted_hits,
    from crux_rows
    inner join cluster_members using (row_id)
    group by all
),

mix as (
    select count(*) as mix_rows from corpus.rows
),

measured as (
    select
        wanted.*,
        coalesce(counted_hits, 0) as counted_hits,
        coalesce(counted_neighbors, 0) as counted_neighbors,
        coalesce(counted_cluster_rows, 0) as counted_cluster_rows,
        mix_rows,
        counted_neighbors * counted_cluster_rows / mix_rows as counted_expected,
    from wanted
    left join meetings using (audit, crux_id, cluster_id)
    left join crux_sizes using (audit, crux_id)
    left join cluster_sizes using (cluster_id)
    cross join mix
),

compared as (
    select
        *,
        counted_hits / counted_expected as counted_lift,
        (counted_hits - counted_expected)
        / sqrt(counted_expected * (1 - counted_cluster_rows / mix_rows) * (1 - counted_neighbors / mix_rows) + 1) as counted_score,
        hits = counted_hits and neighbors = counted_neighbors and cluster_rows = counted_cluster_rows
        and abs(expected - counted_expected) < 1e-9 and abs(trigger_score - counted_score) < 1e-9 as is_equal,
    from measured
)

select
    audit,
    failure_id,
    trigger_rank,
    attribute,
    hits,
    counted_hits,
    neighbors,
    counted_neighbors,
    cluster_rows,
    counted_cluster_rows,
    expected,
    counted_expected,
    lift,
    counted_lift,
    trigger_score,
    counted_score,
    coalesce(is_equal, false) as is_equal,
from compared
where not getvariable('only_different') or not coalesce(is_equal, false)
order by audit asc, failure_id asc, trigger_rank asc
