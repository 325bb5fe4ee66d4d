using System.Collections.Concurrent;
using Dapr.Jobs;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.Webhooks.Data;
using DaprPlatform.Webhooks.Domain;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class WebhooksFixture : DatabaseFixture
{
    internal DaprJobsClient Jobs { get; } = Substitute.For<DaprJobsClient>();

    internal ScriptedReceiver Receiver { get; } = new();

    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<WebhooksDb>(services);
        services.AddSingleton(new WebhookOptions(AllowPrivate: false));
        services.AddSingleton<WebhookMetrics>();
        services.AddSingleton<IWebhookSender>(Receiver);
        services.AddSingleton(Jobs);
        services.AddSingleton<Courier>();
        services.AddScoped<WebhookBook>();
        services.AddSingleton<AppCallbackService>();
        services.AddEventBatchHandler<OrderStatusChanged, FanOut<OrderStatusChanged>>();
        services.AddEventBatchHandler<CompensationFailed, FanOut<CompensationFailed>>();
    }
}

/// <summary>Takes what is sent to an address, or answers as told.</summary>
internal sealed class ScriptedReceiver : IWebhookSender
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<SignedBody>> _received = new(StringComparer.Ordinal);

    /// <summary>By address; what is not here answers 200.</summary>
    public ConcurrentDictionary<string, Attempt> Answers { get; } = new(StringComparer.Ordinal);

    public Task<Attempt> SendAsync(string url, SignedBody body, CancellationToken cancellationToken)
    {
        _received.GetOrAdd(url, _ => new ConcurrentQueue<SignedBody>()).Enqueue(body);
        return Task.FromResult(Answers.TryGetValue(url, out var answer) ? answer : new Attempt(200, null));
    }

    public IReadOnlyList<SignedBody> At(string url) => _received.TryGetValue(url, out var bodies) ? [.. bodies] : [];
}
