using Dapr.Workflow;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.ServiceDefaults.Events;
using Microsoft.Extensions.Configuration;
using DaprPlatform.Workflows;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;

namespace DaprPlatform.Services.Tests.Fixtures;

public sealed class OrdersFixture : DatabaseFixture
{
    internal const string Sku = "MUG-001";
    internal const string OtherSku = "LAMP-001";

    internal PriceList Prices { get; } = new(Sku, OtherSku);

    private protected override void AddService(IServiceCollection services)
    {
        AddDatabase<OrdersDb>(services);
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().Build());
        services.AddSingleton(new ApprovalOptions(100_000, TimeSpan.FromMinutes(10)));
        services.AddSingleton<ApprovalThreshold>();
        services.AddSingleton<OrderMode>();
        services.AddSingleton<OrderFactsCache>();
        services.AddSingleton<RecentPrices>();
        services.AddSingleton<IHostApplicationLifetime, ApplicationLifetime>();
        services.AddSingleton<OrderWaiters>();
        services.AddSingleton<OrderMetrics>();
        // Orders are handed to a channel that nobody reads: no workflow is ever called.
        services.AddSingleton(_ => new DaprWorkflowClientBuilder().Build());
        services.AddSingleton<WorkflowStarter>();
        services.AddSingleton<Catalog.CatalogClient>(Prices);
        services.AddScoped<OrderBook>();
        services.AddScoped<IOrderLedger, OrderLedger>();
        services.AddScoped<PaymentRefundedHandler>();
        services.AddOrderHistory();
        services.AddSingleton<EventProbe>();
        services.AddSingleton<AppCallbackService>();
        services.AddEventHandler<UserRegistered, CountingHandler, OrdersDb>();
    }
}

/// <summary>Lets a test make the handler fail, and see how often it was called.</summary>
internal sealed class EventProbe
{
    private int _calls;

    public int Calls => Volatile.Read(ref _calls);

    public bool Fails { get; set; }

    public void Called()
    {
        Interlocked.Increment(ref _calls);
        if (Fails)
            throw new TimeoutException("not now");
    }
}

/// <summary>Its effect is a row, as that of every handler.</summary>
internal sealed class CountingHandler(OrdersDb db, EventProbe probe) : IEventHandler<UserRegistered>
{
    public Task<EventOutcome> HandleAsync(UserRegistered integrationEvent, EventContext context, CancellationToken cancellationToken)
    {
        probe.Called();
        if (integrationEvent.FirstName == "Nobody")
            return Task.FromResult(EventOutcome.NoEffect);
        db.Add(new OrderCounter { UserId = Guid.NewGuid(), Last = 1 });
        return Task.FromResult(EventOutcome.Handled);
    }
}
