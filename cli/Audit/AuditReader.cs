using Npgsql;

namespace DaprPlatform.Cli.Audit;

/// <summary>An act of an operator, or a refund, as a service noted it.</summary>
internal sealed record AuditEntry(string Service, long Id, DateTimeOffset At, string Actor, string Action, string Subject, string Data);

/// <summary>Whether a service's log is whole.</summary>
/// <param name="Service">Whose.</param>
/// <param name="Entries">How many there are.</param>
/// <param name="Head">Hash of the last one. Kept elsewhere, it shows also that none was taken from the end.</param>
/// <param name="Broken">The first entry that is not what was written, or does not follow the one before it; null when all are.</param>
internal sealed record AuditVerdict(string Service, long Entries, string Head, long? Broken);

/// <summary>Reads the audit logs of a running stack, past the services.</summary>
internal sealed class AuditReader(Func<string, string> connectionTo)
{
    /// <summary>The services that keep a log.</summary>
    public static readonly IReadOnlyList<string> Services = ["orders", "inventory", "payments"];

    public async Task<IReadOnlyList<AuditEntry>> ListAsync(string service, int limit, CancellationToken cancel)
    {
        var entries = new List<AuditEntry>();
        await using var connection = await OpenAsync(service, cancel);
        await using var command = new NpgsqlCommand("SELECT id, at, actor, action, subject, data FROM audit_log ORDER BY id DESC LIMIT $1", connection) { Parameters = { new() { Value = limit } } };
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            entries.Add(new AuditEntry(service, reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5)));
        }

        return entries;
    }

    public async Task<AuditVerdict> VerifyAsync(string service, CancellationToken cancel)
    {
        await using var connection = await OpenAsync(service, cancel);
        await using var command = new NpgsqlCommand(
            """
            SELECT count(*), coalesce((SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1), ''), min(id) FILTER (WHERE hash <> expected OR previous <> before)
              FROM (SELECT id, hash, previous, lag(hash, 1, '') OVER (ORDER BY id) AS before,
                           encode(sha256(convert_to(jsonb_build_array(previous, (extract(epoch FROM at) * 1000000)::bigint, actor, action, subject, data)::text, 'UTF8')), 'hex') AS expected
                      FROM audit_log) AS entries
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        return new AuditVerdict(service, reader.GetInt64(0), reader.GetString(1), await reader.IsDBNullAsync(2, cancel) ? null : reader.GetInt64(2));
    }

    private async Task<NpgsqlConnection> OpenAsync(string service, CancellationToken cancel)
    {
        var connection = new NpgsqlConnection(connectionTo(service));
        await connection.OpenAsync(cancel);
        return connection;
    }
}
