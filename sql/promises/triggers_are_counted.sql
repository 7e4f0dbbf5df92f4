-- turf.triggers: triggers whose counts are not those of their crux and cluster, or whose crux is not told
-- paper: equation 6
select count(*) as broken
from turf.triggers as triggers
left join turf.cluster_hits as counted using (audit, crux_id, cluster_id)
left join turf.cruxes as cruxes using (audit, failure_id, crux_id)
where
    triggers.hits is distinct from counted.hits
    or triggers.neighbors is distinct from counted.neighbors
    or triggers.cluster_rows is distinct from counted.cluster_rows
    or triggers.trigger_score is distinct from counted.trigger_score
    or triggers.crux_rank is distinct from cruxes.crux_rank
    or triggers.hits > triggers.both_rows
