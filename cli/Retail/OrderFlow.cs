using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Retail;

internal enum OrderFate
{
    Confirmed,
    Cancelled,

    /// <summary>Not accepted: the gateway said why at once.</summary>
    Refused,

    /// <summary>Accepted, and not decided when the patience ended.</summary>
    Undecided,
}

/// <summary>What became of an order.</summary>
/// <param name="Reference">The caller's name for it.</param>
/// <param name="Fate">How it ended.</param>
/// <param name="OrderId">Null when it was refused.</param>
/// <param name="Reason">Of everything but a confirmation.</param>
/// <param name="Milliseconds">From the request to the answer that tells the decision.</param>
/// <param name="Repeated">The idempotency key had placed it before.</param>
internal sealed record OrderOutcome(string Reference, OrderFate Fate, string? OrderId, string? Reason, double Milliseconds, bool Repeated);

/// <summary>Places an order and waits for its decision; large orders are approved by an operator on the way.</summary>
internal sealed class OrderFlow(Customer? approver, TimeSpan patience, TimeProvider time)
{
    private const string Pending = "PENDING";
    private const int WaitSeconds = 30;

    /// <summary>How long an order may be pending before the operator is asked for an approval.</summary>
    private const int PatienceBeforeApprovalSeconds = 3;

    private int _approved;

    public int Approved => _approved;

    public async Task<OrderOutcome> PlaceAsync(Customer customer, string reference, string idempotencyKey, JsonNode order, CancellationToken cancel)
    {
        var placed = time.GetTimestamp();
        // The gateway answers as soon as the order is decided; the first wait is short so that a large order finds its operator.
        var asked = approver is null;
        var answer = await customer.SendAsync(HttpMethod.Post, "api/v1/orders", order, cancel, ("Idempotency-Key", idempotencyKey), Wait(asked));
        if (answer.Status is not (HttpStatusCode.Created or HttpStatusCode.Accepted) || (string?)answer.Data?["id"] is not { } id)
            return new OrderOutcome(reference, OrderFate.Refused, null, answer.Succeeded ? "the answer has no order id" : answer.Code, 0, false);
        var repeated = answer.Headers.TryGetValues("Idempotent-Replayed", out var values) && values.Contains("true");
        while ((string?)answer.Data?["status"] == Pending && time.GetElapsedTime(placed) < patience)
        {
            if (!asked)
                asked = await ApproveAsync(id, cancel);
            answer = await customer.SendAsync(HttpMethod.Get, $"api/v1/orders/{id}", null, cancel, Wait(asked));
            if (!answer.Succeeded)
                return new OrderOutcome(reference, OrderFate.Undecided, id, $"reading it: {answer}", Elapsed(), repeated);
        }

        return (string?)answer.Data?["status"] switch
        {
            Pending => new OrderOutcome(reference, OrderFate.Undecided, id, $"still {Pending} after {patience.TotalSeconds:F0} s", Elapsed(), repeated),
            "CANCELLED" => new OrderOutcome(reference, OrderFate.Cancelled, id, (string?)answer.Data?["reason"] ?? "no reason given", Elapsed(), repeated),
            _ => new OrderOutcome(reference, OrderFate.Confirmed, id, null, Elapsed(), repeated),
        };

        double Elapsed() => time.GetElapsedTime(placed).TotalMilliseconds;
    }

    private static (string, string) Wait(bool decidesByItself) => ("Prefer", $"wait={(decidesByItself ? WaitSeconds : PatienceBeforeApprovalSeconds)}");

    // 409: it does not wait for an approval, or not yet.
    private async Task<bool> ApproveAsync(string id, CancellationToken cancel)
    {
        var answer = await approver!.SendAsync(HttpMethod.Post, $"api/v1/orders/{id}/approval", new JsonObject { ["approved"] = true, ["comment"] = "replay" }, cancel);
        if (answer.Succeeded)
            Interlocked.Increment(ref _approved);
        return answer.Succeeded;
    }
}
