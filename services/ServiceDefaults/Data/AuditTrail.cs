using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>
/// What operators did, and where money went back, in the transaction of what they did: each entry holds the hash of itself and of the one before it, so that one that is changed or taken
/// out later is found out (<c>./platform audit verify</c>). Rows can be added and nothing else.
/// </summary>
public static class AuditTrail
{
    private const long AdvisoryLock = 0x6175646974;

    // ./platform audit says once more what the hash is of: a verifier that asked the database how to verify would prove nothing.
    private const string Insert =
        """
        WITH entry AS (SELECT coalesce((SELECT hash FROM audit_log ORDER BY id DESC LIMIT 1), '') AS previous,
                              {0}::timestamptz AS at, {1}::text AS actor, {2}::text AS action, {3}::text AS subject, {4}::text AS data)
        INSERT INTO audit_log (previous, at, actor, action, subject, data, hash)
        SELECT previous, at, actor, action, subject, data,
               encode(sha256(convert_to(jsonb_build_array(previous, (extract(epoch FROM at) * 1000000)::bigint, actor, action, subject, data)::text, 'UTF8')), 'hex')
          FROM entry
        """;

    /// <summary>Notes an act. Call inside the transaction of the act.</summary>
    /// <param name="db">The service's database.</param>
    /// <param name="actor">Who: the user's id, or the workflow.</param>
    /// <param name="action">What, as <c>order.status</c>.</param>
    /// <param name="subject">To what: an id.</param>
    /// <param name="details">Written as JSON; holds nothing that logs must not hold.</param>
    /// <param name="now">When.</param>
    /// <param name="cancellationToken">Ends the try.</param>
    /// <exception cref="InvalidOperationException">There is no transaction.</exception>
    public static async Task AuditAsync(
        this DbContext db, string actor, string action, string subject, object details, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (db.Database.CurrentTransaction is null)
            throw new InvalidOperationException("An act is audited in its own transaction.");
        var data = JsonSerializer.Serialize(details, JsonSerializerOptions.Web);
        // One after the other: each entry needs the hash of the one before it.
        await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({AdvisoryLock})", cancellationToken);
        await db.Database.ExecuteSqlRawAsync(Insert, [now, actor, action, subject, data], cancellationToken);
    }

    /// <summary>The table, for a service's migration.</summary>
    public static void CreateAuditLog(this MigrationBuilder migration)
    {
        migration.Sql(
            """
            CREATE TABLE audit_log (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                at timestamptz NOT NULL,
                actor text NOT NULL,
                action text NOT NULL,
                subject text NOT NULL,
                data text NOT NULL,
                previous text NOT NULL,
                hash text NOT NULL UNIQUE);
            CREATE FUNCTION audit_log_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$;
            CREATE TRIGGER audit_log_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_kept();
            """);
    }

    public static void DropAuditLog(this MigrationBuilder migration) => migration.Sql("DROP TABLE audit_log; DROP FUNCTION audit_log_is_kept();");
}
