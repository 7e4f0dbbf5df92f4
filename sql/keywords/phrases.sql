with totals as (select chunk, count(*) as chunk_total from corpus.rows group by all),
mix as (select count(*) as mix_total from corpus.rows),
whole as (select phrase_id, position, any_value(side) side, any_value(phrase) phrase, any_value(tokens) tokens, sum(rows) rows, count(*) chunk_count,
  arg_max(chunk, (rows, chunk)) top_chunk, max(rows) top_chunk_rows from keywords.counts group by phrase_id, position)
select phrase_id, side, phrase, position, tokens, rows, chunk_count, top_chunk, top_chunk_rows, top_chunk_rows/rows as top_chunk_share,
 ln((top_chunk_rows+rows/mix_total*100)/(chunk_total-top_chunk_rows+100*(1-rows/mix_total))) - ln((rows-top_chunk_rows+rows/mix_total*100)/(mix_total-chunk_total-rows+top_chunk_rows+100*(1-rows/mix_total)+1e-9)) as phrase_log_odds,
 phrase_log_odds/sqrt(1/(top_chunk_rows+rows/mix_total*100)+1/(rows-top_chunk_rows+rows/mix_total*100)) phrase_z_score
from whole join totals on top_chunk=chunk cross join mix
