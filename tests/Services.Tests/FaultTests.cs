using System.Net.Sockets;
using Dapr;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>Which failures a caller is told to try again after (503), and which are ours (500).</summary>
public sealed class FaultTests
{
    public static TheoryData<string, bool> States => new()
    {
        { "08000", true }, { "08001", true }, { "08003", true }, { "08004", true }, { "08006", true }, { "08007", true }, { "08P01", true },
        { "25P02", true }, { "25P03", true }, { "40001", true }, { "40P01", true }, { "40003", true }, { "53000", true }, { "53100", true }, { "53200", true }, { "53300", true },
        { "55P03", true }, { "57014", true }, { "57P01", true }, { "57P02", true }, { "57P03", true }, { "57P05", true }, { "58000", true }, { "58030", true },
        { "22001", false }, { "23502", false }, { "23503", false }, { "23505", false }, { "23514", false }, { "28P01", false }, { "3D000", false }, { "42601", false },
        { "42P01", false }, { "57P04", false }, { "XX000", false },
    };

    public static TheoryData<string> Passing => [.. Passings.Keys];

    public static TheoryData<string> Lasting => [.. Lastings.Keys];

    private static readonly Dictionary<string, Exception> Passings = new()
    {
        ["stream ended"] = new NpgsqlException("Exception while reading from stream", new EndOfStreamException()),
        ["connection reset"] = new NpgsqlException("Exception while writing to stream", new IOException("reset", new SocketException((int)SocketError.ConnectionReset))),
        ["connection refused"] = new NpgsqlException("Failed to connect", new SocketException((int)SocketError.ConnectionRefused)),
        ["stream ended, not wrapped"] = new EndOfStreamException(),
        ["socket, not wrapped"] = new SocketException((int)SocketError.ConnectionReset),
        ["time over"] = new TimeoutException(),
        ["pool exhausted"] = new NpgsqlException("The connection pool has been exhausted", new TimeoutException()),
        ["connection disposed of"] = new ObjectDisposedException("NpgsqlConnection"),
        ["connection closed"] = new InvalidOperationException("Connection is not open") { Source = "Npgsql" },
        ["transaction completed by the loss of its connection"] = new InvalidOperationException("This NpgsqlTransaction has completed; it is no longer usable.") { Source = "Npgsql" },
        ["likely transient, says EF"] = new InvalidOperationException("An exception has been raised that is likely due to a transient failure.", new NpgsqlException("x", new IOException())),
        ["a save under the same"] = new DbUpdateException("x", new InvalidOperationException("x", Postgres("57P01"))),
        ["among others"] = new AggregateException(new InvalidOperationException(), new IOException()),
        ["a limit on the way"] = new TaskCanceledException(),
        ["the sidecar is away"] = new DaprException("x"),
        ["somebody else was faster"] = new DbUpdateConcurrencyException(),
        ["http"] = new HttpRequestException("x"),
    };

    private static readonly Dictionary<string, Exception> Lastings = new()
    {
        ["our mistake"] = new InvalidOperationException("Sequence contains no elements") { Source = "System.Linq" },
        ["our mistake in EF"] = new InvalidOperationException("The LINQ expression could not be translated."),
        ["null"] = new NullReferenceException(),
        ["argument"] = new ArgumentException("x"),
        ["a constraint"] = new DbUpdateException("x", Postgres("23505")),
        ["cast"] = new InvalidCastException(),
    };

    [Theory]
    [MemberData(nameof(States))]
    public void What_the_database_says_passes_or_lasts(string state, bool passes) => Assert.Equal(passes, Faults.IsTransient(Postgres(state)));

    [Theory]
    [MemberData(nameof(Passing))]
    public void A_lost_connection_passes_however_it_shows(string name) => Assert.True(Faults.IsTransient(Passings[name]));

    [Theory]
    [MemberData(nameof(Lasting))]
    public void A_mistake_of_ours_lasts(string name) => Assert.False(Faults.IsTransient(Lastings[name]));

    private static PostgresException Postgres(string state) => new("message", "ERROR", "ERROR", state);
}
