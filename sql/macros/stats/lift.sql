-- stats.lift: P(behavior given trigger) / P(behavior), from counts; null where a rate has no denominator or nothing behaves so
-- paper: own
create or replace macro stats.lift(both_count, trigger_count, behavior_count, all_count) as
    (both_count / nullif(trigger_count, 0)) / nullif(behavior_count / nullif(all_count, 0), 0);

-- tests
select stats.equals(stats.lift(2, 4, 10, 100), 5.0);
select stats.equals(stats.lift(0, 4, 10, 100), 0.0);
select stats.equals(stats.lift(0, 0, 10, 100), null);
select stats.equals(stats.lift(0, 4, 0, 100), null);
select stats.equals(stats.lift(null, 4, 10, 100), null);
