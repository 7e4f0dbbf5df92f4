-- stats.wilson_high: upper 95 % Wilson bound of a rate of `hits` in `trials`; null without trials
-- paper: own (Wilson 1927)
create or replace macro stats.wilson_high(hits, trials) as
    case when trials > 0 then least(
        (
            hits + 1.920729410347062
            + 1.959963984540054 * sqrt(hits * (trials - hits) / trials + 0.960364705173531)
        ) / (trials + 3.841458820694124),
        1
    ) end;

-- tests
select stats.equals(round(stats.wilson_high(93, 100), 4), 0.9657);
select stats.equals(stats.wilson_high(10, 10), 1.0);
select stats.equals(stats.wilson_high(0, 0), null);
