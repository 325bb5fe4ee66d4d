using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace DaprPlatform.Sidecar.State;

/// <summary>A query of items as SQL: paths and values are parameters, so nothing of the caller's becomes part of the text.</summary>
internal sealed class PostgresQuery
{
    private readonly StringBuilder _sql;
    private readonly List<NpgsqlParameter> _parameters = [];

    /// <exception cref="StateException">The token is none.</exception>
    public PostgresQuery(StateQuery query, string table)
    {
        _sql = new StringBuilder($"SELECT key, value::text, isbinary, xmin::text, expiredate FROM {table} WHERE (expiredate IS NULL OR expiredate > CURRENT_TIMESTAMP)");
        if (query.KeyPrefix.Length > 0)
            _sql.Append(" AND starts_with(key, ").Append(Parameter(NpgsqlDbType.Text, query.KeyPrefix)).Append(')');
        if (query.Filter is { } filter)
        {
            // What is no JSON has no members to compare.
            _sql.Append(" AND NOT isbinary AND ");
            Append(filter);
        }

        _sql.Append(" ORDER BY ");
        foreach (var (key, descending) in query.Sort)
            _sql.Append("value #> ").Append(Path(key)).Append(descending ? " DESC, " : " ASC, ");
        _sql.Append("key COLLATE \"C\"");
        if (query.Token.Length > 0)
            Offset = int.TryParse(query.Token, NumberStyles.None, CultureInfo.InvariantCulture, out var offset) ? offset : throw new StateException($"invalid page token {query.Token}");
        if (query.Limit > 0)
            _sql.Append(" LIMIT ").Append(Parameter(NpgsqlDbType.Integer, query.Limit));
        if (Offset > 0)
            _sql.Append(" OFFSET ").Append(Parameter(NpgsqlDbType.Integer, Offset));
    }

    /// <summary>Items of the pages before.</summary>
    public int Offset { get; }

    public string Sql => _sql.ToString();

    public IReadOnlyList<NpgsqlParameter> Parameters => _parameters;

    private void Append(StateFilter filter)
    {
        switch (filter)
        {
            case StateFilter.Group group:
                for (var i = 0; i < group.Filters.Count; i++)
                {
                    _sql.Append(i == 0 ? "(" : group.All ? " AND " : " OR ");
                    Append(group.Filters[i]);
                }

                _sql.Append(')');
                break;
            case StateFilter.Compare { Comparison: StateComparison.In } compare:
                _sql.Append("value #> ").Append(Path(compare.Path)).Append(" = ANY(").Append(Parameter(NpgsqlDbType.Array | NpgsqlDbType.Jsonb, compare.Operands.ToArray())).Append(')');
                break;
            case StateFilter.Compare compare:
                var path = Path(compare.Path);
                var operand = Parameter(NpgsqlDbType.Jsonb, compare.Operands[0]);
                var sign = compare.Comparison switch
                {
                    StateComparison.Eq => "=",
                    StateComparison.Neq => "<>",
                    StateComparison.Gt => ">",
                    StateComparison.Gte => ">=",
                    StateComparison.Lt => "<",
                    _ => "<=",
                };
                _sql.Append("(value #> ").Append(path).Append(' ').Append(sign).Append(' ').Append(operand);

                // PostgreSQL orders numbers, texts and the rest among each other; who asks for less or more means values of one kind.
                if (compare.Comparison is not (StateComparison.Eq or StateComparison.Neq))
                    _sql.Append(" AND jsonb_typeof(value #> ").Append(path).Append(") = jsonb_typeof(").Append(operand).Append(')');
                _sql.Append(')');
                break;
        }
    }

    private string Path(string path) => Parameter(NpgsqlDbType.Array | NpgsqlDbType.Text, path.Split('.'));

    private string Parameter(NpgsqlDbType type, object value)
    {
        _parameters.Add(new NpgsqlParameter { NpgsqlDbType = type, Value = value });
        return $"${_parameters.Count}";
    }
}
