-- turf.cruxes: how many neighbors each crux has, and how many rows of the mix are as near to it as they are
-- grain: one row per crux
-- paper: equation 3; the paper has no word for ties, though one templated sentence can stand for 50,000 rows
with found as (
    select
        crux_id,
        count(distinct row_id) as neighbors,
        min(crux_similarity) as min_similarity,
    from new_neighbors
    group by all
),

sentences as (
    select
        near_sentences.*,
        count(*) over (partition by crux_id) as sentences_of_crux,
        min_similarity,
    from near_sentences
    inner join found using (crux_id)
    where similarity >= min_similarity
),

rows_of_many as (  -- a row with several near sentences counts once, by the nearest
    select
        crux_id,
        row_id,
        max(similarity) = any_value(min_similarity) as is_tied,
    from sentences
    inner join clusters.postings using (cluster_id, attribute_id)
    where sentences_of_crux > 1
    group by all
),

sized as (
    select
        crux_id,
        count(*) as crux_rows,
        count(*) filter (is_tied) as tied_rows,
    from rows_of_many
    group by all
    union all
    select
        crux_id,
        sentence_rows as crux_rows,
        sentence_rows as tied_rows,
    from sentences
    where sentences_of_crux = 1
    union all
    select
        crux_id,
        count(*) as crux_rows,
        count(*) filter (similarity = min_similarity) as tied_rows,
    from like_rows
    inner join found using (crux_id)
    where similarity >= min_similarity
    group by all
)

select
    crux_id,
    neighbors,
    tied_rows,
    crux_rows,
    min_similarity,
from found
inner join sized using (crux_id)
