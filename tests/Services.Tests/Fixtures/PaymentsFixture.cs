using DaprPlatform.Contracts;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.Workflows.Refunds;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class PaymentsFixture : DatabaseFixture
{
    internal ScriptedProcessor Processor { get; } = new();

    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<PaymentsDb>(services);
        services.AddSingleton<ICardProcessor>(Processor);
        services.AddSingleton<PaymentMetrics>();
        services.AddScoped<CashDesk>();
        services.AddScoped<Cashier>();
        services.AddScoped<IRefundLedger, RefundLedger>();
        services.AddSingleton<IRefundRunner, LocalRefunds>();
    }
}

/// <summary>The test processor, which refuses refunds or loses sight of them when a test says so.</summary>
internal sealed class ScriptedProcessor : ICardProcessor
{
    private readonly TestCardProcessor _inner = new();

    /// <summary>Null: refunds go through.</summary>
    public string? RefundRefusal { get; set; }

    /// <summary>What was asked to be returned, by key; each once however often it was asked.</summary>
    public Dictionary<string, long> Returned { get; } = new(StringComparer.Ordinal);

    public ProcessorCard Store(string number) => _inner.Store(number);

    public Charge Capture(string reference, Money amount) => _inner.Capture(reference, amount);

    public Charge Refund(string payment, string key, Money amount)
    {
        if (RefundRefusal is not null)
            return new Charge(RefundRefusal);
        lock (Returned)
            Returned[key] = amount.Minor;
        return new Charge(null);
    }

    public bool CancelRefund(string key)
    {
        lock (Returned)
            return !Returned.ContainsKey(key);
    }
}

/// <summary>Runs the workflow of a refund where it is asked for.</summary>
internal sealed class LocalRefunds(IServiceScopeFactory scopes) : IRefundRunner
{
    public async Task RunAsync(RefundId refund, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        await new RefundWorkflow().RunAsync(new LocalWorkflow(LocalWorkflow.From(scope.ServiceProvider)), new RefundAccepted(refund.ToString()));
    }
}
