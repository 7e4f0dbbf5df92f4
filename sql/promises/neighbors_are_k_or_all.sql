-- turf.cruxes: cruxes whose neighbors are not k, nor all rows that are as near
-- paper: equation 3 (k = 1000), a crux by its very sentence has the rows that attributes.texts counts
with counted as (
    select
        audit,
        crux_id,
        count(distinct row_id) as neighbors,
    from turf.neighbors
    group by all
),

sentences as (
    select
        attribute as crux,
        rows as sentence_rows,
    from attributes.texts
    where side = 'response'
)

select count(*) as broken
from turf.cruxes as cruxes
left join counted using (audit, crux_id)
left join sentences using (crux)
where
    cruxes.neighbors <> coalesce(counted.neighbors, 0)
    or cruxes.neighbors > k
    or cruxes.neighbors > crux_rows
    or tied_rows > crux_rows
    or (cruxes.neighbors < k and cruxes.neighbors < crux_rows)
    or (crux_kind = 'same attribute' and crux_rows is distinct from coalesce(sentence_rows, 0))
