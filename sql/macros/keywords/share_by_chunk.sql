-- keywords.share_by_chunk: in which share of each chunk's rows a normalized phrase stands on one side, by position; from keywords.counts
-- paper: section 4 (phrases of one chunk)
create or replace macro keywords.share_by_chunk(normal_phrase, on_side) as table
    with chunk_sizes as (
        select
            chunk,
            count(*) as chunk_rows,
        from corpus.rows
        group by all
    )

    select
        keywords.counts.position,
        keywords.counts.chunk,
        keywords.counts.rows,
        chunk_rows,
        keywords.counts.rows / chunk_rows as share_of_chunk,
        keywords.counts.rows / sum(keywords.counts.rows) over (partition by keywords.counts.position) as share_of_phrase,
    from keywords.counts
    inner join chunk_sizes using (chunk)
    where keywords.counts.phrase = normal_phrase and keywords.counts.side = on_side
    order by keywords.counts.position asc, keywords.counts.rows desc, keywords.counts.chunk asc;

-- tests
select stats.equals((select list(chunk order by chunk) from keywords.share_by_chunk('i hope', 'response') where position = 'anywhere'), ['chat', 'math']);
select stats.equals((select round(share_of_chunk, 4) from keywords.share_by_chunk('i hope', 'response') where chunk = 'math' and position = 'anywhere'), 0.6667);
select stats.equals((select round(share_of_phrase, 4) from keywords.share_by_chunk('i hope', 'response') where chunk = 'chat' and position = 'anywhere'), 0.3333);
select stats.equals((select count(*) from keywords.share_by_chunk('i hope', 'query')), 0);
select stats.equals((select count(*) from keywords.share_by_chunk(null, 'response')), 0);
