"""What stands beside the tables in a copy of somebody's data, for people to read."""

README = """先享后付 · 我的数据副本
Use now, pay later · a copy of my data

index.json 列出每个文件及其行数。每个 .json 文件是一张表，每行一条记录；金额为最小货币单位的整数（分），时间为 UTC。
其中不含密码、登录密钥与扣款令牌；其他人的身份不在其中。

index.json lists each file and how many rows it has. Each .json file is one table, a record a line. Amounts are whole
minor units (cents), times are UTC. Passwords, keys for signing in and tokens by which money is taken are not in it; nor
is who our colleagues are.
"""
