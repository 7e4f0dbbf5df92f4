-- keywords.shared_phrases: phrases in `least_rows` rows or more that two chunks have in common: the two with the most of their rows, and the lesser of their z-scores, each against the mix without the other; null where nothing else is left
-- paper: own
create or replace macro keywords.shared_phrases(least_rows) as table
    with chunk_sizes as (
        select
            chunk,
            count(*) as chunk_rows,
        from corpus.rows
        group by all
    ),

    numbered_chunks as (
        select
            chunk,
            chunk_rows,
            row_number() over (order by chunk) as chunk_number,
            (sum(chunk_rows) over ())::double as mix_rows,
        from chunk_sizes
    ),

    most_rows as (  -- rows and chunk in one integer; of equal chunks the first by name
        select
            keywords.counts.phrase_id,
            keywords.counts.position,
            any_value(keywords.phrases.rows) as rows,
            max(keywords.counts.rows * 1048576 - chunk_number, 2) as most,
        from keywords.counts
        inner join numbered_chunks using (chunk)
        inner join keywords.phrases using (phrase_id, position)
        where keywords.phrases.rows >= least_rows and chunk_count >= 2
        group by keywords.counts.phrase_id, keywords.counts.position
    ),

    cells as (
        select
            phrase_id,
            position,
            rows,
            first_chunk.mix_rows as mix_rows,
            first_chunk.chunk as first_name,
            first_chunk.chunk_rows as first_size,
            (most[1] + first_chunk.chunk_number) // 1048576 as first_held,
            second_chunk.chunk as second_name,
            second_chunk.chunk_rows as second_size,
            (most[2] + second_chunk.chunk_number) // 1048576 as second_held,
        from most_rows
        inner join numbered_chunks as first_chunk on first_chunk.chunk_number = -most[1] & 1048575
        inner join numbered_chunks as second_chunk on second_chunk.chunk_number = -most[2] & 1048575
    ),

    scores as (
        select
            *,
            stats.prior_log_odds(first_held, first_size, rows - second_held, mix_rows - second_size, mix_rows / 4)
            / stats.prior_error(first_held, first_size, rows - second_held, mix_rows - second_size, mix_rows / 4) as first_z,
            stats.prior_log_odds(second_held, second_size, rows - first_held, mix_rows - first_size, mix_rows / 4)
            / stats.prior_error(second_held, second_size, rows - first_held, mix_rows - first_size, mix_rows / 4) as second_z,
        from cells
    )

    select
        phrase_id,
        position,
        first_name as top_chunk,
        first_held as top_chunk_rows,
        second_name as second_chunk,
        second_held as second_chunk_rows,
        if(first_z is null or second_z is null, null, least(first_z, second_z)) as shared_z_score,
    from scores;

-- tests
select stats.equals((select list(phrase_id) from keywords.shared_phrases(1)), [21]);
select stats.equals((select top_chunk || ' ' || second_chunk from keywords.shared_phrases(1)), 'math chat');
select stats.equals((select top_chunk_rows || ' ' || second_chunk_rows from keywords.shared_phrases(1)), '2 1');
select stats.equals((select count(*) from keywords.shared_phrases(1000)), 0);
select stats.equals((select count(*) from keywords.shared_phrases(null)), 0);
