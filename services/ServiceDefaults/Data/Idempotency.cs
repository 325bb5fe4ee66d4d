using System.Security.Cryptography;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>The answer given to a request that carried an <c>Idempotency-Key</c>. Written in the transaction of its effect.</summary>
public sealed class IdempotencyRecord
{
    /// <summary>How long a key is remembered.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(24);

    /// <summary>The unique key that makes concurrent requests with one key one effect.</summary>
    public const string PrimaryKey = "pk_idempotency_keys";

    public required Guid UserId { get; init; }

    public required string Operation { get; init; }

    public required string Key { get; init; }

    public required byte[] RequestHash { get; init; }

    public required byte[] Response { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Requests that may be repeated: same key and same body get the stored answer.</summary>
public static class Idempotency
{
    private const int MaxKeyLength = 128;

    public static void Configure(ModelBuilder model) =>
        model.Entity<IdempotencyRecord>(entity =>
        {
            entity.ToTable("idempotency_keys");
            entity.HasKey(r => new { r.UserId, r.Operation, r.Key });
            entity.Property(r => r.Operation).HasMaxLength(32);
            entity.Property(r => r.Key).HasMaxLength(MaxKeyLength);
            entity.HasIndex(r => r.CreatedAt);
        });

    /// <exception cref="ProblemException">400: too long, or not printable ASCII.</exception>
    public static void ValidateKey(string key)
    {
        if (key.Length > MaxKeyLength || key.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            throw Refusals.Validation("Idempotency-Key", $"must have 1 to {MaxKeyLength} printable characters");
    }

    /// <param name="request">Without the key itself.</param>
    public static byte[] HashOf(IMessage request) => SHA256.HashData(request.ToByteArray());

    /// <summary>The stored answer, or null when the key is new.</summary>
    /// <exception cref="ProblemException">422: the key was used with another body.</exception>
    public static async Task<TResponse?> FindAnswerAsync<TResponse>(
        this DbContext db, Guid userId, string operation, string key, byte[] requestHash, MessageParser<TResponse> parser, CancellationToken cancellationToken)
        where TResponse : class, IMessage<TResponse>
    {
        var record = await db.Set<IdempotencyRecord>().AsNoTracking()
            .FirstOrDefaultAsync(r => r.UserId == userId && r.Operation == operation && r.Key == key, cancellationToken);
        return record is null ? null : ReadAnswer(record.RequestHash, requestHash, record.Response, parser);
    }

    /// <summary>The stored answer.</summary>
    /// <exception cref="ProblemException">422: the key was used with another body.</exception>
    public static TResponse ReadAnswer<TResponse>(byte[] storedHash, byte[] requestHash, byte[] response, MessageParser<TResponse> parser)
        where TResponse : class, IMessage<TResponse> =>
        storedHash.AsSpan().SequenceEqual(requestHash)
            ? parser.ParseFrom(response)
            : throw Refusals.Unprocessable("idempotency-key-reused", "This Idempotency-Key was used with another request.");

    /// <summary>Remembers the answer together with whatever else the context saves next.</summary>
    public static void RememberAnswer(
        this DbContext db, Guid userId, string operation, string key, byte[] requestHash, IMessage response, DateTimeOffset now) =>
        db.Set<IdempotencyRecord>().Add(new IdempotencyRecord
        {
            UserId = userId,
            Operation = operation,
            Key = key,
            RequestHash = requestHash,
            Response = response.ToByteArray(),
            CreatedAt = now,
        });

    /// <summary>Another request with the same key was faster: its answer is the answer.</summary>
    public static bool IsLostRace(Exception exception) => Faults.IsUniqueViolation(exception, IdempotencyRecord.PrimaryKey);
}
