-- clusters.chunks: how many rows of each chunk are in a cluster
-- grain: one row per cluster and chunk that has it
-- paper: section 4.2 (“heavily concentrated in coding datasets”); counts own
select
    cluster_id,
    chunk,
    count(distinct row_id) as rows,
from attributes.row_attributes
inner join clusters.assignments using (attribute_id)
group by all
order by cluster_id, chunk
