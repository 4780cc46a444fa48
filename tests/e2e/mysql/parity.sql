create table types (id int primary key auto_increment, a tinyint, b smallint unsigned, c bigint, d datetime(6), e time(3), f date, g decimal(20,5), h float, i double, j varchar(50), k blob, l enum('x','y'), m set('p','q'), n bit(5), o json, p year, q timestamp null);
insert into types values (1,1,2,3,'2020-01-01 01:02:03.5','-10:11:12.5','2021-02-03',12.5,1.25,2.5,'abc','\0blob','x','p,q',b'101','{"a":1}',2020,'2020-01-01 00:00:00'),(2,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
select * from types\G
select a,b from types where id=99;
show warnings;
select 1/0, cast('abc' as int);
show warnings;
insert into types (a) values (1),(2),(3);
update types set a=5 where id>2;
delete from types where id>2;
explain select * from types;
explain extended select * from types where j='abc';
analyze table types;
check table types;
show create table types;
show variables like 'sql_mode';
show processlist_no;
start transaction; insert into types (a) values (9); savepoint s; rollback to s; commit;
delimiter //
create procedure p1() begin select 1; select * from types; insert into types(a) values (77); select 2,3; end//
create procedure p2(n int) begin select n; signal sqlstate '45000' set message_text='boom'; end//
create procedure p3(out x int) begin set x=5; select 'in p3'; end//
create function f1() returns int deterministic return 7//
delimiter ;
call p1();
call p2(3);
call p3(@v); select @v;
select f1();
prepare s from 'select ?+1'; set @a=4; execute s using @a; deallocate prepare s;
handler types open; handler types read first; handler types close;
select * from types limit 1; select 'second';
set names latin1; select 'é'; set names utf8mb4; select 'é';
set sql_mode='ANSI_QUOTES'; select "id" from types limit 1; set sql_mode=default;
use mysql; select database(); use shop; select database();
lock tables types write; unlock tables;
show tables; show full columns from types; show index from types; show engines;
create temporary table tt as select * from types; select count(*) from tt; drop table tt;
select * from nosuch; select syntax error here;
do sleep(0); flush tables; 
select group_concat(seq) from seq_1_to_50; 
select repeat('y', 300), '' , null;
select seq, repeat('z',seq%260) from seq_1_to_600;
with recursive r as (select 1 n union all select n+1 from r where n<5) select * from r;
create view v as select id,a from types; select * from v; show create view v;
truncate table types;
kill query 99999;
change master to master_host='x';
show master status; show slave status;
xa start 'x'; xa end 'x'; xa rollback 'x';
begin not atomic select 5; end;
get diagnostics @n = number; select @n;
select sql_no_cache 1; help 'select';
select 1 into outfile '/nonexistent/x';
create table big(a longtext); insert into big values (repeat('q',200000)); select length(a) from big; select a from big;
