namespace DaprPlatform.Workflows.Refunds;

/// <summary>Input of <see cref="RefundWorkflow"/>: the amount is set aside in the payment's row already.</summary>
public sealed record RefundAccepted(string RefundId);

/// <summary>What became of the refund.</summary>
/// <param name="Status"><see cref="Completed"/>, <see cref="Refused"/> or <see cref="CompensationFailed"/>.</param>
/// <param name="Reason">Of a refusal.</param>
/// <param name="Failures">The steps that failed for good, with their messages.</param>
public sealed record RefundResult(string Status, string? Reason = null, IReadOnlyList<string>? Failures = null)
{
    public const string Completed = "Completed";
    public const string Refused = "Refused";
    public const string CompensationFailed = "CompensationFailed";
}

/// <summary>Why a refund was given up, other than by the processor.</summary>
public static class RefundReasons
{
    /// <summary>The processor could not be reached for longer than any outage should last.</summary>
    public const string ProcessorUnreachable = "processor_unreachable";
}

internal sealed record AbandonInput(string RefundId, string Reason);

internal sealed record FlagInput(string RefundId, IReadOnlyList<string> Failures);
