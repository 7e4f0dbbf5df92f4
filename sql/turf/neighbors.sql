-- turf.neighbors: the k rows of the mix nearest to each crux; a row is as near as its nearest sentence
-- grain: one row per crux and neighbor (reading pairs: a row once for each of its near sentences)
-- paper: equation 3; its pairs of row and sentence where `reading` says so; ties at the border go by row_id, a hash
with candidate_rows as (
    select
        near_sentences.crux_id,
        postings.row_id,
        max(near_sentences.similarity) as crux_similarity,
        arg_max(near_sentences.attribute_id, (near_sentences.similarity, -near_sentences.attribute_id)) as attribute_id,
        null::bigint as sentence_id,
    from near_sentences
    inner join clusters.postings as postings using (cluster_id, attribute_id)
    where postings.posting_rank <= getvariable('k')
    group by
        near_sentences.crux_id,
        postings.row_id,
        if(getvariable('reading') = 'pairs', near_sentences.attribute_id, null)
    union all
    select
        crux_id,
        row_id,
        similarity as crux_similarity,
        null as attribute_id,
        sentence_id,
    from like_rows
)

select
    crux_id,
    row_number() over (partition by crux_id order by crux_similarity desc, row_id asc, attribute_id asc)::integer as neighbor_rank,
    row_id,
    attribute_id,
    sentence_id,
    crux_similarity,
from candidate_rows
qualify neighbor_rank <= getvariable('k')
order by crux_id, neighbor_rank
