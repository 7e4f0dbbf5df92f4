-- clusters.postings: which rows have which sentence, in order of the sentence's cluster; ranks are counted as it streams
-- grain: one row per sentence of a corpus row
-- paper: equations 3 and 4 (looked up there for a few sentences and clusters among millions); order own
select
    cluster_id,
    attribute_id,
    row_id,
    chunk,
from attributes.row_attributes
inner join clusters.assignments using (attribute_id)
order by cluster_id, attribute_id, row_id
