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
    from attributes.row_attributes
    inner join clusters.assignments using (attribute_id)
    where cluster_id in (select cluster_id from turf.cluster_hits)
),

cluster_sizes as (
    select
        cluster_id,
        count(*) as cluster_rows,
    from cluster_members
    group by all
),

recounted as (
    select
        audit,
        crux_id,
        cluster_id,
        count(*) as hits,
    from crux_rows
    inner join cluster_members using (row_id)
    group by all
)

select count(*) as broken
from turf.cluster_hits as stored
left join recounted using (audit, crux_id, cluster_id)
left join crux_sizes using (audit, crux_id)
left join cluster_sizes using (cluster_id)
where
    stored.hits is distinct from recounted.hits
    or stored.neighbors is distinct from crux_sizes.neighbors
    or stored.cluster_rows is distinct from cluster_sizes.cluster_rows
    or stored.hits > stored.neighbors
    or stored.hits > stored.pair_hits
