select 'ada' as name, 'London' as city union all select 'grace', 'New York'
