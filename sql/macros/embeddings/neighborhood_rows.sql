-- embeddings.neighborhood_rows: the `most_rows` rows nearest to an attribute sentence of the mix (or a part of it in any case: the one of most rows), as near as their nearest sentence of that side
-- paper: equation 3, over rows; ties go by row_id
create or replace macro embeddings.neighborhood_rows(on_side, sentence, most_rows := 1000, least_similarity := 0.5) as table
    with centers as (
        select vector as center
        from attributes.texts as texts
        inner join embeddings.vectors using (attribute_id)
        where texts.side = on_side and contains(lower(attribute), lower(sentence))
        order by texts.rows desc, attribute asc
        limit 1
    ),

    near_attributes as (
        select
            attribute_id,
            list_inner_product(vector, center) as sentence_similarity,
        from embeddings.vectors
        cross join centers
        where sentence_similarity >= least_similarity
    ),

    near_rows as (
        select
            row_id,
            max(sentence_similarity) as similarity,
        from attributes.row_attributes
        inner join near_attributes using (attribute_id)
        where side = on_side
        group by all
    )

    select
        row_id,
        similarity,
    from near_rows
    qualify row_number() over (order by similarity desc, row_id asc) <= most_rows;

-- tests
select stats.equals((select count(*) from embeddings.neighborhood_rows('query', 'no such sentence')), 0);
select stats.equals((select count(*) from embeddings.neighborhood_rows('query', null)), 0);
select stats.equals((select count(*) from embeddings.neighborhood_rows('query', '', most_rows := 0)), 0);
