-- turf.cluster_hits: rows whose counts differ from a count over all sentences of the mix, in no particular order
-- paper: equation 4
with crux_rows as (
    select distinct
        audit,
        crux_id,
        row_id,
    from turf.neighbors
),

crux_sizes as (
    select
        audit,
        crux_id,
        count(*) as neighbors,
    from crux_rows
    group by all
),

cluster_members as (
    select distinct
        cluster_id,
        row_id,
        chunk,
    from attributes.row_attributes
    inner join clusters.assignments using (attribute_id)
    where cluster_id in (select cluster_id from turf.cluster_hits)
),

cluster_chunks as (
    select
        cluster_id,
        chunk,
        count(*) as chunk_rows,
    from cluster_members
    group by all
),

cluster_sizes as (
    select
        cluster_id,
        sum(chunk_rows) as cluster_rows,
    from cluster_chunks
    group by all
),

chunk_hits as (
    select
        audit,
        crux_id,
        cluster_id,
        chunk,
        count(*) as hits,
    from crux_rows
    inner join cluster_members using (row_id)
    group by all
),

ranked_hits as (
    select
        *,
        row_number() over (partition by audit, crux_id, cluster_id order by hits desc, chunk asc) as chunk_rank,
    from chunk_hits
    inner join cluster_chunks using (cluster_id, chunk)
),

recounted as (
    select
        audit,
        crux_id,
        cluster_id,
        sum(hits) as hits,
        sum(hits) filter (chunk_rank <= 2) as inside_hits,
        sum(chunk_rows) filter (chunk_rank <= 2) as inside_rows,
    from ranked_hits
    group by all
)

select count(*) as broken
from turf.cluster_hits as stored
left join recounted using (audit, crux_id, cluster_id)
left join crux_sizes using (audit, crux_id)
left join cluster_sizes using (cluster_id)
where
    stored.hits is distinct from recounted.hits
    or stored.inside_hits is distinct from recounted.inside_hits
    or stored.inside_rows is distinct from recounted.inside_rows
    or stored.neighbors is distinct from crux_sizes.neighbors
    or stored.cluster_rows is distinct from cluster_sizes.cluster_rows
    or stored.hits > stored.neighbors
    or stored.hits > stored.pair_hits
