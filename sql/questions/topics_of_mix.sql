-- Which topics does the mix have, and in which chunks?
-- parameters: side = "query" — query or response
--   topic_count = 0 — only topics of this size, e.g. 31 for coarse ones; 0 = the coarsest there are
--   text_part = "whole" — whole texts, or their opening or closing sentence
--   most_topics = 40 — topics shown, most rows first
with chosen_topics as (
    select
        attribute_id,
        words,
    from attributes.topics
    where
        side = getvariable('side')
        and text_part = getvariable('text_part')
        and topic_count = coalesce(
            nullif(getvariable('topic_count'), 0),
            (
                select min(coarsest.topic_count)
                from attributes.topics as coarsest
                where coarsest.side = getvariable('side') and coarsest.text_part = getvariable('text_part')
            )
        )
),

topic_chunks as (
    select
        attribute_id,
        chunk,
        count(*) as chunk_rows,
    from attributes.row_attributes
    inner join chosen_topics using (attribute_id)
    group by all
),

leading_chunks as (
    select
        attribute_id,
        sum(chunk_rows)::bigint as topic_rows,
        count(*) as chunks,
        arg_min(chunk, (-chunk_rows, chunk)) as top_chunk,
        max(chunk_rows) / sum(chunk_rows) as top_chunk_share,
    from topic_chunks
    group by all
)

select
    array_to_string(words, ', ') as topic,
    topic_rows as rows,
    topic_rows / (select count(*) from corpus.rows) as row_share,
    chunks,
    top_chunk,
    top_chunk_share,
from leading_chunks
inner join chosen_topics using (attribute_id)
order by topic_rows desc, topic asc, attribute_id asc
limit getvariable('most_topics')
